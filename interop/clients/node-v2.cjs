// eventsource 2, as in the documents' Node example: `require`, `headers`, and `.on`, which works because its
// EventSource is an EventEmitter (later versions' is not).
// Usage: node-v2.cjs URL [TOKEN]; what it prints is described in ../README.md.
const EventSource = require("eventsource-v2");

const [url, token] = process.argv.slice(2);
const eventSource = new EventSource(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} });

eventSource.on("cdevent", (event) => {
  console.log("event cdevent", event.lastEventId, JSON.parse(event.data).subject.id);
});
eventSource.on("gap", (event) => console.log("event gap", event.lastEventId, "-"));
eventSource.on("open", () => console.log("open"));
eventSource.on("error", (event) => {
  if (event.status) console.log("refused", event.status);
});
