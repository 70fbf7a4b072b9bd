// eventsource 5 in Node: headers go through its `fetch` option.
// Usage: node-v5.mjs URL [TOKEN]; what it prints is described in ../README.md.
import { EventSource } from "eventsource";

// While it waits to reconnect it holds no reference to its timer, so that a program which does nothing else would end.
setInterval(() => {}, 60_000);

const [url, token] = process.argv.slice(2);
const eventSource = new EventSource(url, {
  fetch: (input, init) =>
    fetch(input, token ? { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } } : init),
});

eventSource.addEventListener("cdevent", (event) => {
  console.log("event cdevent", event.lastEventId, JSON.parse(event.data).subject.id);
});
eventSource.addEventListener("gap", (event) => console.log("event gap", event.lastEventId, "-"));
eventSource.addEventListener("open", () => console.log("open"));
eventSource.addEventListener("error", (event) => {
  if (event.code) console.log("refused", event.code);
});
