// Which models there are of a task, and a list to choose one from.

import { get } from "./api.js";
import { field, h, select } from "./dom.js";

/** The models of a task. */
export const models_of = async (task) => (await get("/v1/models")).models.filter((own) => own.task === task);

/** A labelled list of models; `control.value` is the chosen one, kept for the next visit. */
export function model_list(task, models) {
  const kept = sessionStorage.getItem(`model-${task}`);
  const chosen = models.some((own) => own.name === kept) ? kept : models[0]?.name;
  const control = select(models.map((own) => [own.name, `${own.name} (${own.rung})`]), chosen, () => sessionStorage.setItem(`model-${task}`, control.value));
  return { control, element: field("Model", control) };
}

/** What is said where there is no model yet. */
export function none_yet(text, command, ...more) {
  return h("section", {}, h("h2", {}, "No model yet"), h("p", {}, text), h("pre", { class: "mono wide", tabindex: "0" }, command), ...more);
}
