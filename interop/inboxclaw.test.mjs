// The configurations of Inboxclaw's document, as they stand there, against the real binary: what its clients see, line
// for line, and what they get after the server was killed.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { Browser } from "./lib/browser.mjs";
import { Process } from "./lib/processes.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());

/** The document's configurations have no sources; this is where the tests' events come from. */
const SOURCES = `
sources:
  web_frontend:
    type: webhook
`;

const PULL = `
sink:
  worker:
    type: http_pull
`;

/** The event of the document. */
const LOGIN = {
  event_id: "evt_abc",
  event_type: "user.login",
  entity_id: "user_1",
  occurred_at: "2024-03-15T10:00:00+00:00",
  data: { ip: "1.2.3.4" },
};

async function serve(t, text) {
  const server = await Server.start("config.yaml", text);
  t.after(() => server.stop());
  return server;
}

const configuration = (name) => readFile(new URL(`inboxclaw/${name}.yaml`, import.meta.url), "utf8");

async function publish(server, event) {
  const { status, body } = await server.post("/web_frontend/", event);
  assert.equal(status, 201, body);
  return JSON.parse(body).events[0].seq;
}

/** The line of an event, in the document's order of keys. */
const dataOf = (seq, { event_id, event_type, entity_id, occurred_at, data }) =>
  JSON.stringify({
    id: seq,
    event_id,
    event_type,
    entity_id,
    created_at: occurred_at,
    data,
    source: { id: 1, name: "web_frontend" },
    meta: {},
  });

/** `curl -N` as the document calls it, and its lines; data is JSON, whose spacing is free. */
function curl(t, url, ...args) {
  const process = new Process("curl", ["--silent", "-N", ...args, url]);
  t.after(() => process.end("SIGKILL"));
  const lines = process.stdout;
  const seen = () => lines.all.map((line) => line.replace(/^data: (\{.*\})$/, (_, json) => `data: ${respaced(json)}`));
  return async (expected) => {
    await lines.until((all) => all.length >= expected.length, expected.join("\n"));
    assert.deepEqual(seen(), expected);
  };
}

const respaced = (json) => JSON.stringify(JSON.parse(json));
const INFO = ["event: info", "data: connected", ""];
const message = (seq, event) => ["event: message", `id: ${seq}`, `data: ${dataOf(seq, event)}`, ""];
const HEARTBEAT = ["event: heartbeat", "data: ping", ""];

describe("Inboxclaw's document", { concurrency: 4 }, () => {
  test("curl, minimal configuration: what the document shows", async (t) => {
    const server = await serve(t, (await configuration("minimal")) + SOURCES);
    const shows = curl(t, server.url("/events_stream/"));
    await shows(INFO);
    const seq = await publish(server, LOGIN);
    await shows([...INFO, ...message(seq, LOGIN)]);
  });

  test("curl, full configuration: its path, its filter, its heartbeat", async (t) => {
    const server = await serve(t, (await configuration("full")) + SOURCES);
    const shows = curl(t, server.url("/alerts/live"));
    await shows(INFO);
    await publish(server, LOGIN);
    const alert = { ...LOGIN, event_id: "evt_alert", event_type: "alert.disk.full" };
    const seq = await publish(server, alert);
    // Fifteen seconds later.
    await shows([...INFO, ...message(seq, alert), ...HEARTBEAT]);
  });

  test("curl, ?event_type=gmail.message_received: nothing else", async (t) => {
    const server = await serve(t, (await configuration("minimal")) + SOURCES);
    const shows = curl(t, server.url("/events_stream/?event_type=gmail.message_received"));
    await shows(INFO);
    await publish(server, LOGIN);
    const mail = { ...LOGIN, event_id: "evt_mail", event_type: "gmail.message_received" };
    await publish(server, { ...mail, event_id: "evt_sent", event_type: "gmail.message_sent" });
    const seq = await publish(server, mail);
    await shows([...INFO, ...message(seq, mail)]);
  });

  test("curl: a client cannot widen what the sink may show", async (t) => {
    const server = await serve(t, (await configuration("full")) + SOURCES);
    const shows = curl(t, server.url("/alerts/live?event_type=*"));
    await shows(INFO);
    await publish(server, LOGIN);
    const alert = { ...LOGIN, event_id: "evt_alert", event_type: "alert.x" };
    const seq = await publish(server, alert);
    await shows([...INFO, ...message(seq, alert)]);
  });

  test("curl: without its last slash the address still works", async (t) => {
    const server = await serve(t, (await configuration("minimal")) + SOURCES);
    const shows = curl(t, server.url("/events_stream"), "--location");
    await shows(INFO);
  });

  test("curl: resumes behind its last id after the server was killed", async (t) => {
    const server = await serve(t, (await configuration("minimal")) + SOURCES);
    const events = ["a", "b", "c"].map((event_id) => ({ ...LOGIN, event_id }));
    const seqs = [];
    for (const event of events) seqs.push(await publish(server, event));
    await server.restart("SIGKILL");
    const shows = curl(t, server.url("/events_stream/"), "-H", `Last-Event-ID: ${seqs[0]}`);
    await shows([...INFO, ...message(seqs[1], events[1]), ...message(seqs[2], events[2])]);
    const repeated = await server.post("/web_frontend/", events[1]);
    assert.equal(repeated.status, 200, repeated.body);
    const last = { ...LOGIN, event_id: "d" };
    const seq = await publish(server, last);
    await shows([...INFO, ...message(seqs[1], events[1]), ...message(seqs[2], events[2]), ...message(seq, last)]);
  });

  for (const [name, path, kind, hidden] of [
    ["minimal", "/events_stream/", "user.login"],
    ["full", "/alerts/live", "alert.disk.full", "user.login"],
    ["minimal", "/events_stream/?event_type=gmail.message_received", "gmail.message_received", "user.login"],
  ]) {
    test(`Chromium, ${path}: onmessage gets every event, through a kill of the server`, async (t) => {
      const server = await serve(t, (await configuration(name)) + SOURCES);
      const proxy = await Proxy.start(server.port);
      t.after(() => proxy.stop());
      const page = await browser.open("inboxclaw.html", `http://127.0.0.1:${proxy.port}${path}`);
      t.after(() => page.stop());
      const { lines } = page;
      const opened = (times) =>
        lines.until((all) => all.filter((line) => line === "open").length >= times, `"open" ${times} times`);
      await opened(1);

      const expected = [];
      const shown = async (event_id) => {
        if (hidden) await publish(server, { ...LOGIN, event_id: `${event_id}-hidden`, event_type: hidden });
        const event = { ...LOGIN, event_id, event_type: kind };
        const seq = await publish(server, event);
        expected.push(`New event: ${seq} ${dataOf(seq, event)}`);
      };
      const receives = async () => {
        const news = (all) => all.filter((line) => line !== "open");
        await lines.until((all) => news(all).length >= expected.length, expected.join("\n"));
        assert.deepEqual(news(lines.all), expected);
      };
      await shown("before");
      await receives();
      proxy.cut();
      await shown("missed-1");
      await server.restart("SIGKILL");
      await shown("missed-2");
      proxy.mend();
      await opened(2);
      await shown("after");
      await receives();
    });
  }

  test("Chromium: what comes before the first event of a stream that was cut off is not lost", async (t) => {
    const server = await serve(t, (await configuration("minimal")) + SOURCES);
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const page = await browser.open("inboxclaw.html", `http://127.0.0.1:${proxy.port}/events_stream/`);
    t.after(() => page.stop());
    const opened = (times) =>
      page.lines.until((all) => all.filter((line) => line === "open").length >= times, `"open" ${times} times`);
    await opened(1);
    proxy.cut();
    const seq = await publish(server, LOGIN);
    await server.restart("SIGKILL");
    proxy.mend();
    await page.lines.until((all) => all.includes(`New event: ${seq} ${dataOf(seq, LOGIN)}`), "the missed event");
  });

  test("http_pull: events come again until they are confirmed, also after kills of the server", async (t) => {
    const server = await serve(t, PULL + SOURCES);
    const events = ["a", "b", "c"].map((event_id) => ({ ...LOGIN, event_id }));
    const data = [];
    for (const event of events) data.push(JSON.parse(dataOf(await publish(server, event), event)));
    const extract = async (query = "") => JSON.parse((await server.get(`/worker/extract${query}`)).body);
    const confirm = async (batch) => {
      const { status, body } = await server.post(`/worker/mark-processed?batch_id=${batch}`);
      return { status, ...JSON.parse(body) };
    };

    const first = await extract("?batch_size=2");
    assert.deepEqual(Object.keys(first), ["batch_id", "events", "remaining_events"]);
    assert.equal(JSON.stringify(first.events), JSON.stringify(data.slice(0, 2)));
    assert.equal(first.remaining_events, 1);

    await server.restart("SIGKILL");
    const again = await extract();
    assert.deepEqual(again.events, data);
    assert.notEqual(again.batch_id, first.batch_id);
    const marked = await confirm(first.batch_id);
    assert.deepEqual([marked.status, marked.marked_count], ["success", 2]);

    await server.restart("SIGKILL");
    assert.deepEqual((await extract()).events, data.slice(2));
    assert.equal((await confirm(first.batch_id)).marked_count, 0);
    // As Inboxclaw counts: what of this batch was not confirmed through this batch.
    assert.equal((await confirm(again.batch_id)).marked_count, 3);
    const nothing = await extract();
    assert.deepEqual([nothing.batch_id, nothing.events, nothing.remaining_events], [null, [], 0]);
    assert.equal((await confirm(1)).status, 404);
    assert.equal((await server.get("/worker/extract?batch_size=many")).status, 422);
  });
});
