// Figures: Plotly from the installed package, fetched when the first figure is drawn, in the colours of the page.

let loading = null;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/page/plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly's file could not be fetched"));
    document.head.append(script);
  });
  return loading;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const drawn = new Set();

// Plotly reads names and titles as markup; what a file says is text.
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** The same axis or trace with its texts as text. */
function texts(own) {
  const found = { ...own };
  if (found.name !== undefined) found.name = plain(found.name);
  if (found.title?.text !== undefined) found.title = { ...found.title, text: plain(found.title.text) };
  return found;
}

/** Draws a figure into a place; drawn again when colours change. */
export async function draw(place, data, layout, label) {
  place.classList.add("plot");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", label);
  place.figure = { data, layout };
  drawn.add(place);
  const Plotly = await plotly();
  if (!place.isConnected) return drawn.delete(place);
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
  const legend = { orientation: "h", y: 1.02, x: 1, xanchor: "right", yanchor: "bottom", ...layout.legend };
  await Plotly.react(place, data.map(texts), {
    ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, legend,
    font: { family: "system-ui, sans-serif", size: 13, color: colour("--quiet") },
    margin: { l: 60, r: 16, t: 44, b: 46, ...layout.margin }, hovermode: layout.hovermode ?? "x unified",
    hoverlabel: { bgcolor: colour("--paper"), font: { color: colour("--ink") }, bordercolor: colour("--line") },
    xaxis: texts({ ...axis, ...layout.xaxis }), yaxis: texts({ ...axis, ...layout.yaxis }),
  }, { responsive: true, displaylogo: false, displayModeBar: false });
}

/** Draws all figures that are seen anew, as after a change of colours. */
export function redraw() {
  for (const place of drawn) {
    if (place.isConnected) draw(place, place.figure.data, place.figure.layout, place.getAttribute("aria-label"));
    else drawn.delete(place);
  }
}

export const COLOURS = ["#2a8fb8", "#d1495b", "#2e8b57", "#b8860b", "#8a63d2", "#c2571a", "#1f9e89", "#6b7684"];
export const faint = (hex, share) => `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${share})`;
