// Elements as calls: no markup in strings, so that nothing a file or a model says is ever read as markup.

/** An element. Attributes that are functions are listeners; false and null are left away. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Puts children in place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same for what is filled again and again: where nothing has changed nothing is done, and who had the focus has it again. */
export function refill(element, ...children) {
  const fresh = fill(document.createElement("div"), ...children);
  if (fresh.innerHTML === element.innerHTML) return element;
  const name = (own) => `${own.tagName} ${own.getAttribute("aria-label") ?? own.textContent}`;
  const focused = element.contains(document.activeElement) ? name(document.activeElement) : null;
  element.replaceChildren(...fresh.childNodes);
  if (focused) [...element.querySelectorAll("a, button, input, select, summary, [tabindex]")].find((own) => name(own) === focused)?.focus();
  return element;
}

let number = 0;

/** A control with its label, a hint below it where there is one, and what stands beside it. */
export function field(label, control, hint = "", beside = null) {
  control.id ||= `field-${++number}`;
  const told = hint ? h("p", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  if (told) control.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), beside ? h("div", { class: "beside" }, control, beside) : control, told);
}

/** A list to choose from; entries are [value, text] or texts. */
export function select(entries, chosen, onchange = null) {
  const options = entries.map((entry) => {
    const [value, text] = Array.isArray(entry) ? entry : [entry, entry];
    return h("option", { value, selected: value === chosen }, text);
  });
  return h("select", onchange ? { onchange } : {}, options);
}

/** A table; cells may be elements. Columns in `right` hold numbers. */
export function table(header, rows, { right = [], caption = "" } = {}) {
  const kind = (place) => (right.includes(place) ? { class: "number" } : {});
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption || header.filter(Boolean).join(", ") }, h("table", {},
    caption && h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, header.map((name, place) => h("th", { scope: "col", ...kind(place) }, name)))),
    h("tbody", {}, rows.map((row) => row instanceof Element ? row : h("tr", {}, row.map((cell, place) => h("td", kind(place), cell ?? "")))))));
}

/** Says something at the foot of the page, for a while. */
export function tell(text) {
  const line = h("p", {}, text);
  document.getElementById("told").append(line);
  setTimeout(() => line.remove(), 8000);
}

/** A sentence on something that went wrong, or that deserves a look. */
export const note = (text, kind = "") => h("p", { class: `note ${kind}`, role: kind === "error" ? "alert" : null }, text);

/** A place to drop a file, which is also a button that opens the list of files. */
export function drop(text, accept, onfile) {
  const input = h("input", { type: "file", accept, onchange: () => input.files[0] && onfile(input.files[0]) });
  const over = (inside) => (event) => { event.preventDefault(); place.classList.toggle("over", inside); };
  const place = h("label", { class: "drop", ondragover: over(true), ondragleave: over(false),
    ondrop: (event) => { over(false)(event); if (event.dataTransfer.files[0]) onfile(event.dataTransfer.files[0]); } },
  input, h("b", {}, "Choose a file"), ` or drop it here. ${text}`);
  return place;
}

/** Offers what was made as a file. */
export function save(content, name, kind) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: kind }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export const number_text = (value, digits = 3) => value === null || value === undefined ? "" : Number(value).toPrecision(digits).replace(/\.?0+$/, (zeros) => zeros.includes(".") ? "" : zeros);
export const share_text = (value) => value === null || value === undefined ? "" : `${(100 * value).toFixed(1)} %`;
