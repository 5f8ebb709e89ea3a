"use strict";

/* Buttons at each table that copy it as CSV, LaTeX or Markdown. */
(() => {
  /* Lines of a cell: its text first, then notes such as an interval. */
  const linesOf = (cell) =>
    cell.innerText.split("\n").map((line) => line.replace(/\s+/g, " ").trim()).filter(Boolean);

  const read = (cell) => {
    const badge = cell.querySelector(".badge")?.innerText.trim();
    const [first = "", ...notes] = linesOf(cell).filter((line) => line !== badge);
    return {
      text: notes.length ? `${first} (${notes.join("; ")})` : first,
      isBest: Boolean(badge),
      isNumber: cell.classList.contains("number"),
    };
  };

  /* Rows of equal length; a cell that spans columns is followed by empty ones. */
  const rowsOf = (table) =>
    [...table.rows].map((row) =>
      [...row.cells].flatMap((cell) => [
        read(cell),
        ...Array.from({ length: cell.colSpan - 1 }, () => ({ text: "" })),
      ]),
    );

  /* RFC 4180: quotes around fields with separators, quotes doubled. Plain signs, so
     that numbers can be parsed. */
  const csvField = ({ text }) => {
    const plain = text.replaceAll("−", "-");
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };

  const toCsv = (rows) => rows.map((row) => `${row.map(csvField).join(",")}\r\n`).join("");

  const MARKDOWN = /[\\`*_[\]<>|~#]/g;

  const markdownCell = ({ text, isBest }) => {
    const escaped = text.replace(MARKDOWN, "\\$&");
    return isBest ? `**${escaped}**` : escaped;
  };

  const toMarkdown = ([head, ...body]) => {
    const line = (cells) => `| ${cells.join(" | ")} |\n`;
    const rule = head.map(({ isNumber }) => (isNumber ? "---:" : "---"));
    return [head.map(markdownCell), rule, ...body.map((row) => row.map(markdownCell))]
      .map(line)
      .join("");
  };

  const LATEX = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "−": "$-$", "±": "$\\pm$", "×": "$\\times$",
    "·": "$\\cdot$", "∞": "$\\infty$", "λ": "$\\lambda$", "≥": "$\\ge$", "≤": "$\\le$",
    "↑": "$\\uparrow$", "↓": "$\\downarrow$", "→": "$\\rightarrow$", "–": "--",
    "…": "\\dots{}", '"': "''",
  };

  const latexCell = ({ text, isBest }) => {
    const escaped = text.replace(
      /[\\~^<>|−±×·∞λ≥≤↑↓→–…"&%$#_{}]/g,
      (sign) => LATEX[sign] ?? `\\${sign}`,
    );
    return isBest ? `\\textbf{${escaped}}` : escaped;
  };

  const toLatex = ([head, ...body]) => {
    const columns = head.map(({ isNumber }) => (isNumber ? "r" : "l")).join("");
    const line = (row) => `${row.map(latexCell).join(" & ")} \\\\\n`;
    return (
      `\\begin{tabular}{${columns}}\n\\hline\n${line(head)}\\hline\n` +
      `${body.map(line).join("")}\\hline\n\\end{tabular}\n`
    );
  };

  /* Pages from servers without TLS have no clipboard object. */
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    if (!isCopied) throw new Error("The browser does not allow copying.");
  };

  const FORMATS = { CSV: toCsv, LaTeX: toLatex, Markdown: toMarkdown };

  const addButtons = (box) => {
    const group = document.createElement("div");
    group.className = "copy";
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", `Copy the table: ${box.getAttribute("aria-label")}`);
    const said = document.createElement("span");
    said.setAttribute("role", "status");
    for (const [name, convert] of Object.entries(FORMATS)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", async () => {
        try {
          await copy(convert(rowsOf(box.querySelector("table"))));
          said.textContent = `Copied as ${name}`;
        } catch {
          said.textContent = "Not copied: select the table instead";
        }
      });
      group.append(button);
    }
    group.prepend("Copy as ");
    group.append(said);
    box.after(group);
  };

  document.querySelectorAll(".scroll").forEach(addButtons);
})();
