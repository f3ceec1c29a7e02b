// Dream: a photo, what shall be seen in it, and the dream as it comes, octave by octave.

import { get, model, stream } from "./api.js";
import { drop, field, fill, h, note, save } from "./dom.js";
import { models_of, none_yet } from "./models.js";

export async function open(place) {
  const [own] = await models_of("dream");
  fill(place, h("h1", {}, "Dream"), h("p", { class: "lead" }, "A trained network sees more and more of what it knows in a photo."));
  if (!own) {
    place.append(none_yet("The network that dreams is an extra:", "pip install 'foretell[dream]'"));
    return;
  }
  const about = await get(model(own.name));
  const order = about.inputs.layers.map((layer) => layer.name).filter((name) => name !== "_fc");
  const shot = (layer) => h("span", { class: "shot", style: `background-position: 0 -${96 * order.indexOf(layer)}px` });
  const choice = (value, text, layer, checked = false) => h("label", { class: "choice" }, h("input", { type: "radio", name: "wish", value, checked }), shot(layer), text);
  let file = null, stopper = null, dream = null;
  const before = h("div", {}), after = h("div", { class: "dreams", "aria-live": "polite" }), failed = h("div", {});
  const octaves = h("input", { type: "number", min: "1", max: "8", value: "4" }), steps = h("input", { type: "number", min: "1", max: "100", value: "20" });
  const strength = h("input", { type: "range", min: "0.1", max: "1", step: "0.05", value: "1" });
  const go = h("button", { disabled: true }, "Dream"), stop = h("button", { type: "button", class: "quiet", disabled: true, onclick: () => stopper?.abort() }, "Stop");
  const take = (given) => {
    file = given;
    const address = URL.createObjectURL(file);
    fill(before, h("img", { class: "picture", src: address, alt: `The photo ${file.name}`, width: "320", onload: () => URL.revokeObjectURL(address) }));
    go.disabled = false;
  };
  const begin = async (event) => {
    event.preventDefault();
    fill(failed);
    stopper?.abort();
    const mine = stopper = new AbortController();
    go.disabled = true;
    stop.disabled = false;
    const [kind, value] = event.target.elements.wish.value.split(":");
    const form = new FormData();
    for (const [name, one] of Object.entries({ picture: file, [kind]: value, octaves: octaves.value, steps: steps.value, strength: strength.value, stream: "true" })) form.append(name, one);
    const bar = h("span", {}), told = h("p", {}, "The network opens its eyes ..."), picture = h("img", { class: "picture", alt: "The dream as it comes" });
    fill(after, h("section", { "aria-label": "Dream" }, h("h2", {}, "The dream"), told, h("div", { class: "bar", role: "progressbar", "aria-label": "How far the dream is" }, bar), h("p", {}), picture));
    try {
      await stream(own.name, form, (name, at) => {
        if (name === "step") {
          told.textContent = `Octave ${at.octave} of ${at.octaves} (${at.width} × ${at.height}), step ${at.step} of ${at.steps}`;
          bar.style.width = `${(100 * (at.octave - 1 + at.step / at.steps) / at.octaves).toFixed(1)}%`;
        } else if (name === "octave") picture.src = `data:image/jpeg;base64,${at.picture}`;
        else {
          dream = at.picture;
          picture.src = `data:image/png;base64,${at.picture}`;
          picture.alt = `The dream: ${at.objective}`;
          told.textContent = `${at.objective}, ${at.width} × ${at.height}`;
          for (const warning of at.warnings) picture.before(note(warning, "warning"));
          picture.after(h("div", { class: "actions" }, h("button", { type: "button", onclick: () => save(bytes_of(dream), `${file.name.replace(/\.[^.]*$/, "")}-dream.png`, "image/png") }, "Download")));
        }
      }, mine.signal);
    } catch (error) {
      if (error.name === "AbortError") told.textContent = "Stopped.";
      else fill(failed, note(error.message, "error"));
    } finally {
      if (stopper === mine) { go.disabled = false; stop.disabled = true; stopper = null; }
    }
  };
  const layers = about.inputs.layers.filter((layer) => order.includes(layer.name));
  place.append(h("section", {}, h("form", { onsubmit: begin }, drop("PNG, JPEG or WebP.", "image/png,image/jpeg,image/webp", take), h("p", {}), before,
    h("fieldset", { class: "choices" }, h("legend", {}, "Mood"), about.inputs.moods.map((mood) => choice(`mood:${mood.name}`, mood.name, mood.layer, mood.name === "faces"))),
    h("details", {}, h("summary", {}, "Or a layer, for those who know them"), h("fieldset", { class: "choices" }, h("legend", {}, "Layer, and what it likes"), layers.map((layer) => choice(`layers:${layer.name}`, `${layer.name}: ${layer.good_for}`, layer.name)))),
    h("p", {}), h("div", { class: "fields" }, field("Octaves", octaves, "Scales, from small to large."), field("Steps", steps, "At each scale."), field("Strength", strength, "How much of the dream is seen.")),
    failed, h("div", { class: "actions" }, go, stop))), after);
  return () => stopper?.abort();
}

function bytes_of(text) {
  return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: "image/png" });
}
