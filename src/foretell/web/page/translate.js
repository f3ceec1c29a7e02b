// Translate: a sentence, its translation, and what each word of it looked at.

import { model, post } from "./api.js";
import { field, fill, h, note, select, tell } from "./dom.js";
import { follow, start } from "./jobs.js";
import { attention_map } from "./maps.js";
import { model_list, models_of, none_yet } from "./models.js";

export async function open(place) {
  const jobs = h("div", {}), body = h("div", {});
  fill(place, h("h1", {}, "Translate"), h("p", { class: "lead" }, "A sentence in, a translation out. Click a word of it to see what it looked at."), body, jobs);
  let known = -1;
  const renew = async () => {
    const models = await models_of("translate");
    if (models.length === known) return;
    known = models.length;
    fill(body, models.length ? asking(models) : nothing());
  };
  const nothing = () => none_yet("Pairs of sentences make one, from two files, a folder or a table. Or begin with dates, which come with Foretell: from \"Sat., June 4th, 1988\" to 1988-06-04.",
    "foretell compare translate train.en train.de --languages en,de",
    h("div", { class: "actions" }, h("button", { type: "button", onclick: async () => {
      try { await start({ recipe: "dates", options: { rungs: "copy,gru-attention", epochs: 4 } }); list.look(); } catch (error) { tell(error.message); }
    } }, "Learn to read dates (two minutes)")));
  const list = follow(jobs, { task: "translate", seen: () => renew().catch((error) => tell(error.message)) });
  await renew();
  return list;
}

function asking(models) {
  const list = model_list("translate", models), text = h("textarea", { rows: "3", required: true }), answer = h("div", { "aria-live": "polite" });
  const go = h("button", {}, "Translate");
  const ask = async (event) => {
    event.preventDefault();
    if (!text.value.trim()) return fill(answer, note("There is nothing to translate: type a sentence.", "error"));
    go.disabled = true;
    fill(answer, h("p", { class: "hint" }, "The model is asked ..."));
    try {
      const about = models.find((own) => own.name === list.control.value), asked = { texts: [text.value] };
      // Copies and dictionaries attend to nothing, and say so; the translation is what counts then.
      const reply = await post(`${model(about.name)}/predict`, { ...asked, attention: true }).catch((error) => {
        if (error.code === "configuration" || error.code === "input") return post(`${model(about.name)}/predict`, asked);
        throw error;
      });
      fill(answer, shown(reply));
    } catch (error) { fill(answer, note(error.message, "error")); }
    finally { go.disabled = false; }
  };
  return [h("section", {}, h("form", { onsubmit: ask, onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(event); } },
    list.element, h("p", {}), field("Sentence", text, "Ctrl+Enter asks."), h("div", { class: "actions" }, go))), answer];
}

function shown(reply) {
  const own = reply.answers[0], warnings = reply.warnings.map((warning) => note(warning, "warning"));
  const groups = (own.attention ?? []).filter((group) => group.kind.startsWith("Cross"));
  if (!groups.length) return [...warnings, h("section", {}, h("h2", {}, "Translation"), h("p", { class: "text" }, own.translation), h("p", { class: "hint" }, "This model attends to nothing that could be shown."))];
  const maps = groups.flatMap((group) => group.maps.map((map) => ({ ...map, group, label: group.maps.length > 1 || groups.length > 1 ? `${group.title}: ${map.name}` : map.name })));
  const drawing = h("div", { class: "map wide", tabindex: "0", role: "region", "aria-label": "Attention map" }), source = h("p", { class: "text" }), words = h("p", { class: "words" });
  let current = maps[0], row = 0;
  const which = select(maps.map((map, place) => [String(place), map.label]), "0", () => { current = maps[Number(which.value)]; redraw(); });
  const pick = (place) => { row = place; redraw(); };
  const redraw = () => {
    const weights = current.weights[row];
    const most = Math.max(...weights, 1e-9);
    fill(source, current.group.columns.map((piece, place) => [h("mark", { style: `background: rgba(var(--mark), ${(0.38 * weights[place] / most).toFixed(2)})`, title: `${(100 * weights[place]).toFixed(1)} %` }, piece), " "]));
    for (const [place, button] of [...words.children].entries()) button.setAttribute("aria-pressed", String(place === row));
    fill(drawing, attention_map(current.group, current, row, pick));
  };
  fill(words, groups[0].rows.map((piece, place) => h("button", { type: "button", onclick: () => pick(place) }, piece)));
  redraw();
  return [...warnings, h("section", { "aria-label": "Translation" }, h("h2", {}, "Translation"), h("p", { class: "text" }, own.translation),
    own.score !== null && own.score !== undefined ? h("p", { class: "hint" }, `Probability ${Math.exp(own.score).toPrecision(2)}`) : null),
  h("section", { "aria-label": "Attention" }, h("h2", {}, "What it looked at"), field("Layer and head", which), h("p", { class: "hint" }, "Click a piece of the translation:"), words, h("h3", {}, "It looked at"), source, drawing)];
}
