"use strict";

/* The blind test. Votes stay in this browser until the judge downloads them. */
(() => {
  const byId = (id) => document.getElementById(id);
  const source = byId("questions");
  if (!source) return;

  const { page, task, shares, questions, images } = JSON.parse(source.textContent);
  const ASKED = {
    preference: "Which is the better translation of the input?",
    reality: "One of these two is real. Which one?",
  };
  const NAME = `blind-test-${page}`;

  /* Some browsers have no storage for local files: the test then works in one session. */
  const memory = {
    read() {
      try {
        return JSON.parse(localStorage.getItem(NAME));
      } catch {
        return null;
      }
    },
    write(state) {
      try {
        localStorage.setItem(NAME, JSON.stringify(state));
        return true;
      } catch {
        return false;
      }
    },
  };

  let state = memory.read();
  let order = [];
  let shownAt = 0;

  /* Mulberry32: the seed determines a judge's questions and their order. */
  const randomFrom = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  const shuffled = (list, seed) => {
    const random = randomFrom(seed);
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  };

  /* Different questions for every judge, with the given share for each pair of candidates. */
  const deal = (seed) => {
    const left = [...shares];
    const dealt = shuffled(questions, seed).filter(({ pair }) => left[pair]-- > 0);
    return shuffled(dealt, seed + 1);
  };

  const show = (name) => {
    for (const id of ["start", "asking", "end"]) byId(id).hidden = id !== name;
  };

  const greet = () => {
    const going = Boolean(state?.votes.length);
    byId("resume").hidden = !going;
    byId("start-form").hidden = going;
    if (going) {
      byId("resume-go").textContent =
        `Continue as ${state.judge} (${state.votes.length} of ${byId("progress").max} answered)`;
    }
    show("start");
  };

  const begin = (judge) => {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    state = { judge, seed, started: new Date().toISOString(), votes: [] };
    if (!memory.write(state)) byId("forgetful").hidden = false;
    resume();
  };

  const resume = () => {
    order = deal(state.seed);
    ask();
  };

  const ask = () => {
    const done = state.votes.length;
    if (done === order.length) return finish();
    const question = order[done];
    byId("asked").textContent = ASKED[question.kind];
    byId("input").src = images[question.input];
    byId("left").firstElementChild.src = images[question.left];
    byId("right").firstElementChild.src = images[question.right];
    byId("progress").value = done;
    byId("progress-text").textContent = `${done + 1} of ${order.length}`;
    byId("undo").disabled = done === 0;
    show("asking");
    byId("asked").focus();
    shownAt = performance.now();
  };

  const vote = (choice) => {
    const seconds = Math.round((performance.now() - shownAt) / 100) / 10;
    const question = order[state.votes.length].id;
    state.votes.push({ question, choice, seconds });
    memory.write(state);
    ask();
  };

  const undo = () => {
    if (!state.votes.length) return;
    state.votes.pop();
    memory.write(state);
    ask();
  };

  const finish = () => {
    byId("end-text").textContent =
      `${state.judge}, you have answered all ${order.length} questions. ` +
      "Download your votes: they are not stored elsewhere.";
    show("end");
    byId("end-title").focus();
  };

  const download = () => {
    const content = { page, task, ...state, exported: new Date().toISOString() };
    const blob = new Blob([JSON.stringify(content, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `votes-${state.judge.replace(/[^\p{L}\p{N}-]+/gu, "_")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  const keys = {
    ArrowLeft: () => vote("left"),
    ArrowRight: () => vote("right"),
    " ": () => vote("none"),
    Backspace: undo,
    Escape: greet,
  };

  document.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    const presses = event.key === " " && event.target.tagName === "BUTTON";
    if (byId("asking").hidden || !act || presses || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  byId("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const judge = byId("judge").value.trim();
    if (judge) begin(judge);
  });
  for (const choice of ["left", "right", "none"]) {
    byId(choice).addEventListener("click", () => vote(choice));
  }
  const clicks = {
    undo, reopen: undo, pause: greet, export: download, "resume-go": resume,
    "resume-drop": () => {
      state = null;
      memory.write(null);
      greet();
    },
  };
  for (const [id, act] of Object.entries(clicks)) {
    byId(id).addEventListener("click", act);
  }
  greet();
})();
