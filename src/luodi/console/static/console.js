"use strict";
// The chat of the console: one question at a time, answered as a stream of server-sent events.
const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
const text = data.text;
const [start, talk, form, question, key, needed, send, stop, copy] =
  ["start", "talk", "ask", "question", "key", "needed", "send", "stop", "copy"].map(find);
const keyField = form.querySelector(".key");
let running = null;
let asked = 0;

keyField.hidden = Boolean(data.key);

// A failure that the page can put kindly; `detail` is what the server said.
class Failure extends Error {
  constructor(kind, detail) {
    super(text[kind] || text.failed);
    this.detail = detail || "";
    this.needsKey = kind === "failed_key";
  }
}

// Text from the model and from documents is only ever set as text, never as markup.
function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function source(citation, id) {
  const item = element("li");
  if (id) item.id = id;
  if (citation.number) item.append(element("strong", "", `[${citation.number}] `));
  item.append(element("code", "", `${citation.path}:${citation.line}`), " ", citation.title || "");
  if (citation.quote) item.append(element("blockquote", "", citation.quote));
  return item;
}

function sources(answer, title, citations, prefix) {
  if (!citations || !citations.length) return;
  const list = element("ul", "sources");
  list.setAttribute("aria-label", title);
  list.append(...citations.map((c) => source(c, prefix && `${prefix}-${c.number}`)));
  answer.append(element("h3", "", title), list);
}

// Every [1] that has a source becomes a link to it.
function link(shown, citations, prefix) {
  const known = new Set((citations || []).map((c) => String(c.number)));
  const parts = shown.textContent.split(/(\[\d+\])/).map((part) => {
    const number = /^\[(\d+)\]$/.exec(part);
    if (!number || !known.has(number[1])) return part;
    const made = element("a", "", part);
    made.href = `#${prefix}-${number[1]}`;
    return made;
  });
  shown.replaceChildren(...parts);
}

function finish(answer, shown, told, usage, took) {
  const prefix = `source-${asked}`;
  link(shown, told.citations, prefix);
  sources(answer, text.sources, told.citations, prefix);
  sources(answer, text.nearest, told.nearest, "");
  const meta = element("div", "meta");
  meta.append(element("span", `badge ${told.kind}`, text[told.kind] || told.kind));
  if (told.label && told.label.text) meta.append(element("span", "label", told.label.text));
  const facts = [told.release, took < 1000 ? `${Math.round(took)} ms` : `${(took / 1000).toFixed(1)} s`];
  if (told.cached) facts.push(text.from_cache);
  if (usage && usage.total_tokens) facts.push(`${usage.total_tokens} ${text.tokens}`);
  facts.push(`${text.record} ${told.record}`);
  meta.append(...facts.map((fact) => element("span", "", fact)));
  answer.append(meta);
}

function fail(answer, failure) {
  const line = element("p", "failed", failure.message);
  line.setAttribute("role", "alert");
  if (failure.detail) line.append(element("small", "", failure.detail));
  answer.append(line);
  if (failure.needsKey) {
    keyField.hidden = false;
    key.value = "";
  }
}

// The data of every event. The network may cut anywhere, within characters and line ends too; a line that starts
// with a colon only keeps the connection open. A last event counts even if the blank line after it is missing.
async function* events(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let held = "";
  let event = [];
  try {
    for (let done = false; !done; ) {
      const read = await reader.read();
      done = read.done;
      held += done ? `${decoder.decode()}\n\n` : decoder.decode(read.value, { stream: true });
      const lines = held.split("\n");
      held = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line.startsWith("data:")) event.push(line.slice(5).replace(/^ /, ""));
        if (line === "" && event.length) {
          yield event.join("\n");
          event = [];
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function request(words, signal) {
  const reply = await fetch("/v1/chat/completions", {
    method: "POST",
    signal,
    headers: { "content-type": "application/json", authorization: `Bearer ${key.value.trim() || data.key}` },
    body: JSON.stringify({
      model: data.model,
      messages: [{ role: "user", content: words }],
      stream: true,
      stream_options: { include_usage: true },
    }),
  }).catch((error) => {
    throw error.name === "AbortError" ? error : new Failure("failed_network");
  });
  if (reply.ok) return reply.body;
  const problem = await reply.json().catch(() => ({}));
  const kinds = { 401: "failed_key", 403: "failed_key", 402: "failed_limit", 429: "failed_limit" };
  const kind = kinds[reply.status] || (reply.status >= 500 ? "failed_server" : "failed");
  throw new Failure(kind, (problem.error && problem.error.message) || `HTTP ${reply.status}`);
}

async function read(body, shown) {
  let told = null;
  let usage = null;
  for await (const event of events(body)) {
    if (event === "[DONE]") return { told, usage };
    const chunk = JSON.parse(event);
    if (chunk.error) throw new Failure("failed_server", chunk.error.message);
    for (const choice of chunk.choices || []) {
      const more = choice.delta && choice.delta.content;
      if (more && shown.classList.contains("wait")) {
        shown.className = "text";
        shown.textContent = "";
      }
      if (more) shown.textContent += more;
    }
    told = chunk.luodi || told;
    usage = chunk.usage || usage;
  }
  throw new Failure("failed_broken");
}

async function ask(words) {
  const started = performance.now();
  asked += 1;
  start.classList.add("after");
  const answer = element("div", "answer");
  answer.setAttribute("aria-busy", "true"); // a screen reader waits for the whole answer
  const shown = element("p", "wait", text.waiting);
  answer.append(shown);
  talk.append(element("p", "question", words), answer);
  answer.scrollIntoView({ block: "nearest" });
  running = new AbortController();
  send.hidden = true;
  stop.hidden = false;
  try {
    const { told, usage } = await read(await request(words, running.signal), shown);
    if (told) finish(answer, shown, told, usage, performance.now() - started);
  } catch (error) {
    if (error.name === "AbortError") answer.append(element("p", "wait", text.stopped));
    else fail(answer, error instanceof Failure ? error : new Failure("failed_broken"));
  } finally {
    if (shown.classList.contains("wait")) shown.remove();
    answer.removeAttribute("aria-busy");
    running = null;
    send.hidden = false;
    stop.hidden = true;
    answer.scrollIntoView({ block: "nearest" });
    (keyField.hidden || key.value ? question : key).focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = question.value.trim();
  needed.hidden = Boolean(keyField.hidden || key.value.trim());
  if (!needed.hidden) key.focus();
  else if (words && !running) {
    question.value = "";
    ask(words);
  }
});
question.addEventListener("keydown", (event) => {
  // While an input method composes, Enter picks a character.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) running.abort();
});
stop.addEventListener("click", () => running && running.abort());
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    question.value = example.textContent;
    form.requestSubmit();
  });
}
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(find("url").textContent);
    copy.textContent = text.copied;
  } catch {
    getSelection().selectAllChildren(find("url")); // no clipboard outside a secure context: select it instead
  }
});
