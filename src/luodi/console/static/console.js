"use strict";
// The chat of the console: one question at a time, answered as a stream of server-sent events.
const data = JSON.parse(document.getElementById("data").textContent);
const text = data.text;
const talk = document.getElementById("talk");
const form = document.getElementById("ask");
const question = document.getElementById("question");
const key = document.getElementById("key");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
let running = null;

form.querySelector(".key").hidden = Boolean(data.key);

// Text from the model and from documents is only ever set as text, never as markup.
function element(name, className, content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function source(citation) {
  const item = element("li");
  if (citation.number) item.append(element("strong", "", `[${citation.number}] `));
  item.append(element("code", "", `${citation.path}:${citation.line}`), " ", citation.title.split(" › ").pop());
  if (citation.quote) item.append(element("blockquote", "", citation.quote));
  return item;
}

function sources(title, citations) {
  const list = element("ul", "sources");
  list.setAttribute("aria-label", title);
  list.append(...citations.map(source));
  return list;
}

function finish(answer, told, started) {
  if (told.citations.length) answer.append(sources(text.sources, told.citations));
  if (told.nearest.length) answer.append(element("div", "meta", text.nearest), sources(text.nearest, told.nearest));
  const meta = element("div", "meta");
  meta.append(element("span", `badge ${told.kind}`, text[told.kind] || told.kind));
  if (told.cached) meta.append(element("span", "", text.from_cache));
  meta.append(
    element("span", "", told.release),
    element("span", "", `${Math.round(performance.now() - started)} ms`),
    element("span", "", `${text.record} ${told.record}`),
  );
  if (told.label && told.label.text) meta.append(element("span", "label", told.label.text));
  answer.append(meta);
}

function fail(answer, message) {
  const line = element("p", "failed", `${text.failed}: ${message}`);
  line.setAttribute("role", "alert");
  answer.append(line);
}

// Events may be cut anywhere by the network, characters too; lines that start with a colon keep the line open.
async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    held += decoder.decode(value, { stream: !done });
    const parts = held.split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      for (const line of part.split("\n")) {
        if (line.startsWith("data:")) yield line.slice(5).trim();
      }
    }
    if (done) return;
  }
}

async function ask(words) {
  const started = performance.now();
  talk.append(element("p", "question", words));
  const answer = element("div", "answer");
  const shown = element("p");
  answer.append(shown);
  talk.append(answer);
  answer.scrollIntoView({ block: "nearest" });
  running = new AbortController();
  send.hidden = true;
  stop.hidden = false;
  try {
    const reply = await fetch("/v1/chat/completions", {
      method: "POST",
      signal: running.signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${data.key || key.value}` },
      body: JSON.stringify({
        model: data.model,
        messages: [{ role: "user", content: words }],
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    if (!reply.ok) {
      const problem = await reply.json().catch(() => ({}));
      throw new Error((problem.error && problem.error.message) || `HTTP ${reply.status}`);
    }
    for await (const event of events(reply.body)) {
      if (event === "[DONE]") break;
      const chunk = JSON.parse(event);
      if (chunk.error) throw new Error(chunk.error.message);
      for (const choice of chunk.choices || []) shown.textContent += choice.delta.content || "";
      if (chunk.luodi) finish(answer, chunk.luodi, started);
    }
  } catch (error) {
    if (error.name === "AbortError") answer.append(element("p", "meta", text.stopped));
    else fail(answer, error.message);
  } finally {
    running = null;
    send.hidden = false;
    stop.hidden = true;
    answer.scrollIntoView({ block: "nearest" });
    question.focus();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = question.value.trim();
  if (!words || running) return;
  question.value = "";
  ask(words);
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
stop.addEventListener("click", () => running && running.abort());
document.getElementById("copy").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(document.getElementById("url").textContent);
  event.target.textContent = text.copied;
});
