"use strict";

/* The gallery: order, error maps, and a viewer that compares two images. The grid of
   images works without this script. */
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("gallery-data");
  if (!source) return;

  const data = JSON.parse(source.textContent);
  const samples = [...document.querySelectorAll("[data-sample]")].map((article) => {
    const figures = [...article.querySelectorAll("figure")];
    return {
      article,
      name: article.querySelector("h3").textContent.trim(),
      scores: data.samples[article.dataset.sample],
      images: new Map(figures.map((f) => [f.dataset.key, f.querySelector("img")])),
      titles: new Map(figures.map((f) => [f.dataset.key, f.dataset.title])),
      buttons: [],
    };
  });
  let shown = [...samples];

  /* ---- Error maps ---- */

  const FULL_ERROR = 64;
  const RAMP = [
    [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99],
    [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164],
  ]; /* Inferno, of matplotlib: uniform steps of lightness, also for colour-blind readers. */

  const colours = Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (RAMP.length - 1);
    const low = RAMP[Math.floor(place)];
    const high = RAMP[Math.ceil(place)];
    return low.map((c, i) => Math.round(c + (high[i] - c) * (place % 1)));
  });

  /* Images outside of the viewport are loaded on demand. */
  const ready = (image) => {
    image.loading = "eager";
    return image.decode();
  };

  const paint = (canvas, image) => {
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context;
  };

  const pixelsOf = (image) =>
    paint(document.createElement("canvas"), image).getImageData(
      0, 0, image.naturalWidth, image.naturalHeight,
    );

  const paintError = (canvas, image, target) => {
    const pixels = pixelsOf(image);
    const wanted = pixelsOf(target).data;
    const values = pixels.data;
    for (let i = 0; i < values.length; i += 4) {
      let error = 0;
      for (let c = 0; c < 3; c += 1) error += Math.abs(values[i + c] - wanted[i + c]);
      const level = Math.min(255, Math.round((error / 3 / FULL_ERROR) * 255));
      [values[i], values[i + 1], values[i + 2]] = colours[level];
    }
    canvas.width = pixels.width;
    canvas.height = pixels.height;
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  };

  const paintRow = async (sample) => {
    await Promise.all([...sample.images.values()].map(ready));
    for (const canvas of sample.article.querySelectorAll("canvas.error:not(.done)")) {
      canvas.classList.add("done");
      const key = canvas.closest("figure").dataset.key;
      paintError(canvas, sample.images.get(key), sample.images.get("target"));
    }
  };

  const addErrorMaps = () => {
    const watcher = new IntersectionObserver((entries) => {
      if (!byId("gallery-errors").checked) return;
      for (const entry of entries.filter((e) => e.isIntersecting)) {
        paintRow(samples.find(({ article }) => article === entry.target));
      }
    }, { rootMargin: "300px" });
    for (const { article, images, titles } of samples) {
      for (const [key, image] of images) {
        if (key === "target") continue;
        const canvas = document.createElement("canvas");
        canvas.className = "error";
        canvas.width = image.naturalWidth || 1;
        canvas.height = image.naturalHeight || 1;
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `Error map of ${titles.get(key)}`);
        image.closest("figure").querySelector(".open").after(canvas);
      }
      watcher.observe(article);
    }
    window.addEventListener("beforeprint", () => samples.forEach(paintRow));
    const errors = byId("gallery-errors");
    const showErrors = () => {
      byId("samples").classList.toggle("plain", !errors.checked);
      byId("gallery-ramp").hidden = !errors.checked;
      for (const { article } of samples) {
        watcher.unobserve(article);
        watcher.observe(article);
      }
    };
    errors.checked = !window.matchMedia("(max-width: 40rem)").matches;
    errors.addEventListener("change", showErrors);
    showErrors();
    const ramp = byId("gallery-ramp").querySelector("canvas").getContext("2d");
    for (let x = 0; x < 96; x += 1) {
      ramp.fillStyle = `rgb(${colours[Math.round((x / 95) * 255)].join()})`;
      ramp.fillRect(x, 0, 1, 1);
    }
  };

  /* ---- Order ---- */

  const option = (value, text) => {
    const element = document.createElement("option");
    element.value = value;
    element.textContent = text;
    return element;
  };

  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const range = (values) => Math.max(...values) - Math.min(...values);

  const valueOf = (sample, order, metric, model) => {
    const models = model && order !== "disputed" ? [model] : data.trained;
    const values = models
      .map((name) => sample.scores[name]?.[metric.name] ?? null)
      .filter((value) => value !== null);
    if (!values.length) return null;
    return order === "disputed" ? range(values) : mean(values);
  };

  const shuffle = (list) => {
    for (let i = list.length - 1; i > 0; i -= 1) {
      const j = Math.floor(Math.random() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };

  const sortSamples = () => {
    const order = byId("gallery-order").value;
    const metric = data.metrics[byId("gallery-metric").selectedIndex];
    const model = byId("gallery-model").value;
    const values = new Map();
    shown = [...samples];
    if (order === "random") shuffle(shown);
    if (["best", "worst", "disputed"].includes(order)) {
      const down = order === "disputed" || (order === "best") === metric.higher;
      for (const s of samples) values.set(s, valueOf(s, order, metric, model));
      shown.sort((a, b) => {
        const [x, y] = [values.get(a), values.get(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return down ? y - x : x - y;
      });
    }
    for (const sample of samples) {
      const value = values.get(sample) ?? null;
      const what = order === "disputed" ? `${metric.label} range` : metric.label;
      sample.note.textContent =
        value === null ? "" : `${what} ${Number(value.toPrecision(4))}`;
    }
    const [first, rest] = document.querySelectorAll("#samples .first, #samples .rest");
    const articles = shown.map((sample) => sample.article);
    const count = first.children.length;
    first.append(...articles.slice(0, count));
    rest?.append(...articles.slice(count));
    const byMetric = order === "chosen" || order === "random";
    byId("gallery-metric").disabled = byMetric;
    byId("gallery-model").disabled = byMetric || order === "disputed";
    const names = { best: "best", worst: "worst", disputed: "most disputed" };
    const whose = byId("gallery-model").selectedOptions[0].textContent;
    byId("gallery-status").textContent = byMetric
      ? ""
      : `${shown.length} pictures, the ${names[order]} first by ${metric.label}` +
        (order === "disputed" ? " (range over the trained models)." : ` of ${whose}.`);
  };

  const addOrder = () => {
    for (const sample of samples) {
      sample.note = document.createElement("span");
      sample.note.className = "badge sorted";
      sample.article.querySelector("h3").append(" ", sample.note);
    }
    const models = byId("gallery-model");
    if (data.trained.length) models.append(option("", "all trained models (mean)"));
    models.append(...data.models.map((model) => option(model, model)));
    byId("gallery-metric").append(
      ...data.metrics.map((metric) => option(metric.name, metric.label)),
    );
    const preferred = data.metrics.findIndex((metric) => metric.name === "psnr");
    byId("gallery-metric").selectedIndex = Math.max(0, preferred);
    if (data.trained.length < 2) {
      byId("gallery-order").querySelector("[value=disputed]").disabled = true;
    }
    for (const name of ["order", "metric", "model"]) {
      byId(`gallery-${name}`).addEventListener("change", sortSamples);
    }
    byId("gallery-controls").addEventListener("submit", (e) => e.preventDefault());
    sortSamples();
  };

  /* ---- Grid: one tab stop per row, arrow keys within it ---- */

  const addButton = (sample, key, image) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "open";
    button.setAttribute("aria-label", `Enlarge ${image.alt}`);
    image.before(button);
    button.append(image);
    button.addEventListener("click", () => viewer.open(sample, key, button));
    return button;
  };

  const addButtons = () => {
    for (const sample of samples) {
      for (const [key, image] of sample.images) {
        const button = addButton(sample, key, image);
        button.tabIndex = sample.buttons.length ? -1 : 0;
        button.addEventListener("focus", () => {
          for (const other of sample.buttons) other.tabIndex = other === button ? 0 : -1;
        });
        sample.buttons.push(button);
      }
    }
    byId("samples").addEventListener("keydown", moveInGrid);
    const typical = samples.find(({ article }) => article.dataset.sample === "0");
    for (const figure of document.querySelectorAll(".typical figure")) {
      addButton(typical, figure.dataset.key, figure.querySelector("img"));
    }
  };

  const moveInGrid = (event) => {
    const row = shown.find((s) => s.buttons.includes(event.target));
    const step = {
      ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    }[event.key];
    if (!row || !step) return;
    event.preventDefault();
    const next = shown[shown.indexOf(row) + step[0]];
    next?.article.closest("details")?.setAttribute("open", "");
    next?.buttons[row.buttons.indexOf(event.target) + step[1]]?.focus();
  };

  /* ---- Viewer ---- */

  const viewer = {
    sample: null, left: "target", right: "", zoom: 1, x: 0, y: 0, opener: null,
  };
  const MAX_ZOOM = 32;
  const sides = ["left", "right"];
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  viewer.open = (sample, key, opener) => {
    viewer.opener = opener;
    viewer.left = key === "target" ? "input" : "target";
    viewer.right = key;
    byId("viewer").showModal();
    viewer.show(sample);
    viewer.wipe(50);
    byId("viewer-stage").focus();
  };

  viewer.keys = () => {
    const keys = [...viewer.sample.images.keys()];
    return [...keys, ...keys.filter((k) => k !== "target").map((k) => `error:${k}`)];
  };

  viewer.title = (key) => {
    const isError = key.startsWith("error:");
    const title = viewer.sample.titles.get(isError ? key.slice(6) : key);
    return isError ? `error of ${title}` : title;
  };

  viewer.show = (sample) => {
    viewer.sample = sample;
    byId("viewer-title").textContent = sample.name;
    byId("viewer-place").textContent = `${shown.indexOf(sample) + 1} of ${shown.length}`;
    for (const side of sides) {
      if (!viewer.keys().includes(viewer[side])) viewer[side] = "target";
      byId(`viewer-${side}-key`).replaceChildren(
        ...viewer.keys().map((key) => option(key, viewer.title(key))),
      );
    }
    viewer.fit();
    viewer.draw();
  };

  viewer.draw = async () => {
    const { sample } = viewer;
    for (const side of sides) {
      const key = viewer[side];
      byId(`viewer-${side}-key`).value = key;
      byId(`viewer-${side}-tag`).textContent = viewer.title(key);
    }
    byId("viewer-stage").setAttribute(
      "aria-label",
      `${sample.name}: ${viewer.title(viewer.left)} on the left, ` +
        `${viewer.title(viewer.right)} on the right of the border`,
    );
    const target = sample.images.get("target");
    const keys = sides.map((side) => viewer[side]);
    await Promise.all(
      [target, ...keys.map((key) => sample.images.get(key.replace("error:", "")))].map(ready),
    );
    /* The view may have changed in the meantime. */
    if (sample !== viewer.sample || sides.some((side, i) => viewer[side] !== keys[i])) return;
    byId("viewer-sheet").style.aspectRatio = `${target.naturalWidth} / ${target.naturalHeight}`;
    viewer.place();
    for (const [i, side] of sides.entries()) {
      const canvas = byId(`viewer-${side}`);
      const image = sample.images.get(keys[i].replace("error:", ""));
      if (keys[i].startsWith("error:")) paintError(canvas, image, target);
      else paint(canvas, image);
    }
  };

  viewer.wipe = (percent) => {
    byId("viewer-wipe").value = percent;
    const sheet = byId("viewer-sheet").getBoundingClientRect();
    const stage = byId("viewer-stage").getBoundingClientRect();
    const edge = (percent / 100) * stage.width;
    const inside = ((stage.left + edge - sheet.left) / sheet.width) * 100;
    byId("viewer-right").style.clipPath = `inset(0 0 0 ${clamp(inside, 0, 100)}%)`;
    byId("viewer-edge").style.left = `${edge}px`;
  };

  viewer.place = () => {
    const { zoom, x, y } = viewer;
    byId("viewer-sheet").style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    byId("viewer-zoom").textContent = `${Math.round(100 * zoom)} %`;
    viewer.wipe(Number(byId("viewer-wipe").value));
  };

  viewer.fit = () => {
    Object.assign(viewer, { zoom: 1, x: 0, y: 0 });
    viewer.place();
  };

  /* Keeps the point under the pointer (or the centre) fixed. */
  viewer.scale = (factor, clientX, clientY) => {
    const stage = byId("viewer-stage").getBoundingClientRect();
    const x = (clientX ?? stage.left + stage.width / 2) - stage.left - stage.width / 2;
    const y = (clientY ?? stage.top + stage.height / 2) - stage.top - stage.height / 2;
    const zoom = clamp(viewer.zoom * factor, 1, MAX_ZOOM);
    const ratio = zoom / viewer.zoom;
    viewer.x = zoom === 1 ? 0 : x - (x - viewer.x) * ratio;
    viewer.y = zoom === 1 ? 0 : y - (y - viewer.y) * ratio;
    viewer.zoom = zoom;
    viewer.place();
  };

  viewer.step = (by) => {
    const next = shown[shown.indexOf(viewer.sample) + by];
    if (!next) return;
    viewer.show(next);
    viewer.opener = next.buttons.find((b) => b.tabIndex === 0);
  };

  viewer.turn = (by) => {
    const keys = viewer.keys();
    const at = keys.indexOf(viewer.right);
    viewer.right = keys[(at + by + keys.length) % keys.length];
    viewer.draw();
  };

  viewer.toggleError = () => {
    const key = viewer.right;
    if (key === "target") return;
    viewer.right = key.startsWith("error:") ? key.slice(6) : `error:${key}`;
    viewer.draw();
  };

  const onKey = {
    ArrowLeft: () => viewer.step(-1),
    ArrowRight: () => viewer.step(1),
    ArrowUp: () => viewer.turn(-1),
    ArrowDown: () => viewer.turn(1),
    "+": () => viewer.scale(1.5),
    "=": () => viewer.scale(1.5),
    "-": () => viewer.scale(1 / 1.5),
    0: () => viewer.fit(),
    "[": () => viewer.wipe(clamp(Number(byId("viewer-wipe").value) - 5, 0, 100)),
    "]": () => viewer.wipe(clamp(Number(byId("viewer-wipe").value) + 5, 0, 100)),
    e: () => viewer.toggleError(),
    E: () => viewer.toggleError(),
  };

  const addPointers = () => {
    const stage = byId("viewer-stage");
    const fingers = new Map();
    let wiping = false;
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    };
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event);
      const edge = byId("viewer-edge").getBoundingClientRect();
      const near = Math.abs(event.clientX - edge.left) < 24;
      wiping = fingers.size === 1 && (near || viewer.zoom === 1);
    });
    stage.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const apart = fingers.size === 2 ? spread() : 0;
      fingers.set(event.pointerId, event);
      if (fingers.size === 2) {
        const [a, b] = [...fingers.values()];
        const middle = [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
        if (apart) viewer.scale(spread() / apart, ...middle);
      } else if (wiping) {
        const box = stage.getBoundingClientRect();
        viewer.wipe(clamp(((event.clientX - box.left) / box.width) * 100, 0, 100));
      } else {
        viewer.x += event.clientX - before.clientX;
        viewer.y += event.clientY - before.clientY;
        viewer.place();
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      viewer.scale(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
    }, { passive: false });
  };

  const addViewer = () => {
    const clicks = {
      "viewer-close": () => byId("viewer").close(),
      "viewer-previous": () => viewer.step(-1),
      "viewer-next": () => viewer.step(1),
      "viewer-in": () => viewer.scale(1.5),
      "viewer-out": () => viewer.scale(1 / 1.5),
      "viewer-fit": () => viewer.fit(),
      "gallery-help": () => byId("keys").showModal(),
      "keys-close": () => byId("keys").close(),
    };
    for (const [id, act] of Object.entries(clicks)) {
      byId(id).addEventListener("click", act);
    }
    for (const side of sides) {
      byId(`viewer-${side}-key`).addEventListener("change", (event) => {
        viewer[side] = event.target.value;
        viewer.draw();
      });
    }
    byId("viewer-wipe").addEventListener("input", (e) => viewer.wipe(e.target.value));
    byId("viewer").addEventListener("close", () => viewer.opener?.focus());
    byId("viewer").addEventListener("keydown", (event) => {
      const act = onKey[event.key];
      const chooses = event.target.tagName === "SELECT";
      const slides = event.target.type === "range" && event.key.startsWith("Arrow");
      if (!act || chooses || slides || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "?" || byId("keys").open) return;
      event.preventDefault();
      byId("keys").showModal();
    });
    window.addEventListener("resize", () => byId("viewer").open && viewer.place());
    addPointers();
  };

  addButtons();
  addErrorMaps();
  addOrder();
  addViewer();
  byId("gallery-controls").hidden = false;
})();
