// Shows the events of one stream, newest first. Text only ever goes in as text.
"use strict";

// Events that stay on the page; older ones go.
const KEPT = 200;

const list = document.getElementById("events");
const status = document.getElementById("status");
const empty = document.getElementById("empty");
const example = '{"type":"hello","message":"world"}';
document.getElementById("command").textContent =
  `curl -X POST ${location.origin}/webhook/events -H 'content-type: application/json' -d '${example}'`;

let count = 0;

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function show(item) {
  empty.hidden = true;
  list.prepend(item);
  while (list.children.length > KEPT) list.lastElementChild.remove();
}

function showEvent(message) {
  let body = message.data;
  let kind = message.type;
  let subject = "";
  try {
    body = JSON.parse(message.data);
    kind = body?.context?.type ?? body?.type ?? kind;
    subject = body?.subject?.id ?? (typeof body?.subject === "string" ? body.subject : "");
    body = JSON.stringify(body, null, 2);
  } catch {
    // Not JSON: shown as it came.
  }
  const item = element("li", "event", "");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.append(
    element("span", "kind", kind),
    element("span", "subject", subject),
    element("span", "id", message.lastEventId),
    element("time", "when", new Date().toLocaleTimeString()),
  );
  details.append(summary, element("pre", "", body));
  details.open = count < 3;
  item.append(details);
  show(item);
  count += 1;
  setStatus("open");
}

function showNotice(message) {
  const item = element("li", "event notice", "");
  item.append(element("span", "kind", message.type), document.createTextNode(" "), element("span", "subject", message.data));
  show(item);
}

function setStatus(state) {
  const words = { connecting: "connecting", open: "listening", closed: "disconnected" }[state];
  status.dataset.state = state;
  status.textContent = count > 0 && state === "open" ? `${words}, ${count} ${count === 1 ? "event" : "events"}` : words;
}

const source = new EventSource("/sse/events");
source.addEventListener("open", () => setStatus("open"));
source.addEventListener("cdevent", showEvent);
source.addEventListener("gap", showNotice);
source.addEventListener("error", (event) => {
  // The stream's own `error` events have data; those of the connection have none.
  if (typeof event.data === "string") showNotice(event);
  else setStatus(source.readyState === EventSource.CLOSED ? "closed" : "connecting");
});
