// Classify: a text, how likely each label is, and the words that moved the answer.

import { model, post } from "./api.js";
import { field, fill, h, note, share_text, table } from "./dom.js";
import { model_list, models_of, none_yet } from "./models.js";

export async function open(place) {
  const models = await models_of("classify");
  fill(place, h("h1", {}, "Classify"), h("p", { class: "lead" }, "What a text is, how sure the model is, and which words moved it."));
  if (!models.length) {
    place.append(none_yet("Labelled texts, as a folder for each label, a CSV or JSON lines, make one:", "foretell compare classify reviews.csv --text text --label label"));
    return;
  }
  const list = model_list("classify", models), text = h("textarea", { rows: "6", required: true }), answer = h("div", { "aria-live": "polite" });
  const go = h("button", {}, "Classify");
  const ask = async (event) => {
    event.preventDefault();
    if (!text.value.trim()) return fill(answer, note("There is nothing to classify: type a text.", "error"));
    go.disabled = true;
    fill(answer, h("p", { class: "hint" }, "The model is asked ..."));
    try { fill(answer, shown(await post(`${model(list.control.value)}/predict`, { texts: [text.value], explain: true }))); }
    catch (error) { fill(answer, note(error.message, "error")); }
    finally { go.disabled = false; }
  };
  place.append(h("section", {}, h("form", { onsubmit: ask, onkeydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask(event); } },
    list.element, h("p", {}), field("Text", text, "Ctrl+Enter asks."), h("div", { class: "actions" }, go))), answer);
}

function shown(reply) {
  const own = reply.answers[0];
  const likely = Object.entries(own.probabilities).sort((one, two) => (two[1] ?? 0) - (one[1] ?? 0)).slice(0, 12);
  const bars = likely.map(([label, share]) => [label, h("div", { class: "bar", role: "img", "aria-label": share_text(share) }, h("span", { style: `width: ${100 * (share ?? 0)}%` })), share_text(share)]);
  const largest = Math.max(...(own.words ?? []).map((word) => Math.abs(word.weight)), 1e-9);
  const words = (own.words ?? []).map((word) => [word.word, h("div", { class: "bar", role: "img", "aria-label": word.weight > 0 ? "towards the answer" : "away from it" },
    h("span", { style: `width: ${100 * Math.abs(word.weight) / largest}%; background: var(${word.weight > 0 ? "--good" : "--bad"})` })), word.weight > 0 ? "towards" : "away"]);
  const pieces = (own.pieces ?? []).map((piece) => Math.abs(piece.strength) < 0.05 ? piece.text
    : h("mark", { style: `background: ${piece.strength > 0 ? "rgba(46,139,87," : "rgba(209,73,91,"}${(0.45 * Math.abs(piece.strength)).toFixed(2)})`, title: `${piece.strength > 0 ? "towards" : "away from"} the answer` }, piece.text));
  return [...reply.warnings.map((warning) => note(warning, "warning")),
    h("section", { "aria-label": "Answer" }, h("h2", {}, own.label ?? "no label", own.probability !== null ? h("span", { class: "hint" }, ` ${share_text(own.probability)} sure`) : null),
      table(["label", "", "probability"], bars, { right: [2], caption: "Probabilities" })),
    own.words?.length ? h("section", { "aria-label": "Words" }, h("h2", {}, "What moved it"), h("p", { class: "hint" }, "Green words moved the answer towards the label, red ones away from it."),
      h("p", { class: "text" }, pieces), table(["word", "", "which way"], words, { caption: "Words that moved the answer most" })) : null];
}
