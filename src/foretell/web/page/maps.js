// A map of attention as a drawing (SVG): a row for each piece that was written, a square for each piece it looked at.

const CELL = 18, LETTER = 7.3, GAP = 8, LONGEST = 14;

function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const short = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

/** The drawing. `chosen` is the row that is marked; `pick` is told of a row that is clicked. */
export function attention_map(group, map, chosen, pick) {
  const rows = group.rows.map(short), columns = group.columns.map(short);
  const left = LETTER * Math.max(...rows.map((name) => name.length)) + GAP, top = LETTER * Math.max(...columns.map((name) => name.length)) + GAP;
  const width = left + CELL * columns.length + GAP, height = top + CELL * rows.length + GAP;
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Attention, ${map.name}: rows are what was written, columns what was read` });
  columns.forEach((name, place) => {
    const x = left + CELL * (place + 0.7);
    svg.append(s("text", { transform: `rotate(-90 ${x} ${top - GAP})`, x, y: top - GAP }, name));
  });
  rows.forEach((name, row) => {
    svg.append(s("text", { class: "row", x: left - GAP, y: top + CELL * (row + 0.7) }, name));
    map.weights[row].forEach((weight, column) => {
      const square = s("rect", { x: left + CELL * column, y: top + CELL * row, width: CELL - 1, height: CELL - 1, "fill-opacity": Math.max(0.02, weight).toFixed(3), class: row === chosen ? "on" : "" },
        s("title", {}, `${group.rows[row]} looked at ${group.columns[column]}: ${(100 * weight).toFixed(1)} %`));
      square.addEventListener("click", () => pick(row));
      svg.append(square);
    });
  });
  return svg;
}
