// The service, as the page asks it: every failure is the sentence that the service says.

export class Failure extends Error {
  constructor(status, code, message) { super(message); this.status = status; this.code = code; }
}

let needs_token = () => {};
/** Who is called when the service asks for its token. */
export const on_token = (listener) => { needs_token = listener; };

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "unreachable", "The service does not answer; is it still running?");
  }
  if (response.ok) return response;
  const failed = await response.json().catch(() => ({}));
  if (response.status === 401) needs_token();
  throw new Failure(response.status, failed.error?.code ?? "failed", failed.error?.message ?? `The service answered with ${response.status}.`);
}

export const get = async (path) => (await asked(path, {})).json();
export const get_text = async (path) => (await asked(path, {})).text();
export const remove = async (path) => (await asked(path, { method: "DELETE" })).json();
export const post = async (path, body, options = {}) => (await asked(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options })).json();
export const send = async (path, file) => (await asked(path, {
  method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file })).json();
export const model = (name) => `/v1/models/${encodeURIComponent(name)}`;
export const post_csv = async (name, csv, accept) => {
  const headers = { "Content-Type": "text/csv", Accept: accept };
  const response = await asked(`${model(name)}/predict`, { method: "POST", headers, body: csv });
  return accept === "text/csv" ? response.text() : response.json();
};

/** Asks a model and hears its events as they come; `signal` stops it. */
export async function stream(name, body, heard, signal) {
  const form = body instanceof FormData;
  const options = { method: "POST", body: form ? body : JSON.stringify(body), signal };
  if (!form) options.headers = { "Content-Type": "application/json" };
  const response = await asked(`${model(name)}/predict`, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [first, second] = part.split("\n");
      const event = first.slice("event: ".length), about = JSON.parse(second.slice("data: ".length));
      if (event === "error") throw new Failure(200, about.error.code, about.error.message);
      heard(event, about);
    }
  }
}
