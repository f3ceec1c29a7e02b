// Generate: a prompt is gone on with, letter by letter, each in a colour that tells how likely it was.

import { stream } from "./api.js";
import { field, fill, h, note, select } from "./dom.js";
import { model_list, models_of, none_yet } from "./models.js";

const THREE = [0.2, 0.5, 1.0];
// From surprising to foreseen, faint enough for the text on them in either scheme.
const shade = (share) => `hsl(${Math.round(8 + 132 * share)} 70% 45% / ${(0.42 - 0.26 * share).toFixed(2)})`;

export async function open(place) {
  const models = await models_of("generate");
  fill(place, h("h1", {}, "Generate"), h("p", { class: "lead" }, "Writes on from a prompt. Low temperatures repeat what is likely, high ones invent."));
  if (!models.length) {
    place.append(none_yet("Any text makes one: prose, tunes, molecules.", "foretell compare generate corpus.txt"));
    return;
  }
  const list = model_list("generate", models), prompt = h("textarea", { rows: "3" });
  const slider = h("input", { type: "range", min: "0", max: "1.5", step: "0.05", value: "0.5", oninput: () => { said.textContent = slider.value; } });
  const said = h("output", {}, "0.5"), length = h("input", { type: "number", min: "1", max: "5000", value: "300" }), seed = h("input", { type: "number", min: "0", value: "0" });
  const mode = select([["one", "one text"], ["three", "three, side by side: 0.2, 0.5, 1.0"]], "one");
  const texts = h("div", { class: "columns" }), failed = h("div", {});
  const go = h("button", {}, "Write"), stop = h("button", { type: "button", class: "quiet", disabled: true, onclick: () => stopper?.abort() }, "Stop");
  let stopper = null;

  const write = async (event) => {
    event.preventDefault();
    fill(failed);
    stopper?.abort();
    const own = stopper = new AbortController();
    go.disabled = true;
    stop.disabled = false;
    const temperatures = mode.value === "three" ? THREE : [Number(slider.value)];
    const columns = temperatures.map((temperature) => ({ temperature, text: h("p", { class: "text" }, h("b", {}, prompt.value)) }));
    fill(texts, columns.map((column) => h("section", { "aria-label": `Temperature ${column.temperature}` }, h("h2", {}, `Temperature ${column.temperature}`), column.text)));
    const asked = (temperature) => ({ prompts: [prompt.value], length: Number(length.value), temperature, seed: Number(seed.value), on_unknown: "skip", probabilities: true, stream: true });
    try {
      await Promise.all(columns.map((column) => stream(list.control.value, asked(column.temperature), (name, about) => {
        if (name === "text") column.text.append(...about.pieces.map((piece) => h("mark", { style: `background: ${shade(piece.probability)}`, title: `${(100 * piece.probability).toFixed(1)} %` }, piece.token)));
        else for (const warning of about.warnings ?? []) column.text.after(note(warning, "warning"));
      }, own.signal)));
    } catch (error) {
      if (error.name !== "AbortError") fill(failed, note(error.message, "error"));
      own.abort();
    } finally {
      if (stopper === own) { go.disabled = false; stop.disabled = true; stopper = null; }
    }
  };
  place.append(h("section", {}, h("form", { onsubmit: write }, h("div", { class: "fields" }, list.element, field("How many", mode), field("Length", length, "Most tokens."), field("Seed", seed)), h("p", {}),
    field("Prompt", prompt, "What the text begins with; letters that the model never saw are passed over."), h("p", {}), field("Temperature", slider, "", said),
    failed, h("div", { class: "actions" }, go, stop, h("span", { class: "legend" }, "unlikely", h("i", { style: `background: linear-gradient(90deg, ${shade(0)}, ${shade(0.5)}, ${shade(1)})` }), "likely")))), texts);
  return () => stopper?.abort();
}
