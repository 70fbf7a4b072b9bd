// Real clients against the real binary: each of them through every test. How a client is started and what it prints
// is in README.md.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Browser } from "./lib/browser.mjs";
import { Process } from "./lib/processes.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Server, TOKENS, config } from "./lib/server.mjs";

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());

/** A client that is a program: starts it with a URL and perhaps a token. */
const program = (command, ...args) => (url, token) => {
  const client = new Process(command, [...args, url, ...(token ? [token] : [])]);
  return { lines: client.stdout, stop: () => client.end("SIGKILL") };
};
const page = (name) => (url, token) => browser.open(name, url, token);
const file = (name) => fileURLToPath(new URL(`clients/${name}`, import.meta.url));

const clients = [
  { name: "curl", start: program(file("curl.sh")) },
  { name: "Python requests + sseclient-py", start: program(process.env.PYTHON_BIN, file("python.py")) },
  { name: "Node eventsource 2", start: program(process.execPath, file("node-v2.cjs")) },
  { name: "Node eventsource 5", start: program(process.execPath, file("node-v5.mjs")) },
  { name: "Go r3labs/sse/v2", start: program(process.env.GO_CLIENT_BIN), handsOutComments: true },
  { name: "Chromium EventSource", start: page("native.html"), sendsNoHeaders: true },
  { name: "Chromium eventsource 5", start: page("fetch.html") },
];

/** A server, the client's way to it, and the client with its stream open; all of it ends with the test. */
async function connect(t, client) {
  const server = await Server.start("fanfare.toml", config(browser.origin));
  t.after(() => server.stop());
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  const [sink, token] = client.sendsNoHeaders ? ["open"] : ["team", TOKENS.team];
  const running = await client.start(`http://127.0.0.1:${proxy.port}/sse/${sink}`, token);
  t.after(() => running.stop());

  const { lines } = running;
  const opened = (times) =>
    lines.until((all) => all.filter((line) => line === "open").length >= times, `"open" ${times} times`);
  const receives = async (expected) => {
    const cdevents = (all) => all.filter((line) => line.startsWith("event cdevent"));
    await lines.until((all) => cdevents(all).length >= expected.length, expected.join("\n"));
    assert.deepEqual(cdevents(lines.all), expected);
  };
  await opened(1);
  return { server, proxy, lines, opened, receives };
}

/** Starts a client that is to be refused, and gives the status that it was told. */
async function refusal(t, client, sink, token) {
  const server = await Server.start("fanfare.toml", config(browser.origin));
  t.after(() => server.stop());
  const { lines, stop } = await client.start(`http://127.0.0.1:${server.port}/sse/${sink}`, token);
  t.after(stop);
  return lines.until((all) => /^refused (.*)$/m.exec(all.join("\n"))?.[1], "a refusal");
}

// Most of the time is waiting for clients to come back.
describe("interop", { concurrency: 4 }, () => {
  for (const client of clients) {
    test(`${client.name}: gets every event, in order`, async (t) => {
      const { server, receives } = await connect(t, client);
      const expected = [];
      for (let n = 1; n <= 20; n++) expected.push(await server.publish(`größe-${n}`));
      await receives(expected);
    });

    test(`${client.name}: resumes what it missed while it was cut off`, async (t) => {
      const { server, proxy, opened, receives } = await connect(t, client);
      const expected = [await server.publish("before-1"), await server.publish("before-2")];
      await receives(expected);
      proxy.cut();
      expected.push(await server.publish("missed-1"), await server.publish("missed-2"));
      proxy.mend();
      await opened(2);
      expected.push(await server.publish("after"));
      await receives(expected);
    });

    for (const [how, signal] of [
      ["ends", "SIGTERM"],
      ["is killed", "SIGKILL"],
    ]) {
      test(`${client.name}: comes back by itself when the server ${how} and starts again, to what it missed`, async (t) => {
        const { server, proxy, opened, receives } = await connect(t, client);
        const expected = [await server.publish("before")];
        await receives(expected);
        proxy.cut();
        expected.push(await server.publish("missed-1"));
        await server.restart(signal);
        expected.push(await server.publish("missed-2"));
        proxy.mend();
        await opened(2);
        expected.push(await server.publish("after-1"), await server.publish("after-2"));
        await receives(expected);
      });
    }

    test(`${client.name}: is told that it is refused`, async (t) => {
      // The browser's own EventSource is told no status, only that it is final.
      const missing = client.sendsNoHeaders ? "?" : "401";
      assert.equal(await refusal(t, client, "team"), missing);
      assert.equal(await refusal(t, client, "admin"), missing);
      if (client.sendsNoHeaders) return;
      assert.equal(await refusal(t, client, "team", "guest-1"), "403");
      assert.equal(await refusal(t, client, "admin", TOKENS.admin.toUpperCase()), "403");
    });

    if (client.handsOutComments) {
      test(`${client.name}: hands out comments as empty events, and goes on`, async (t) => {
        const { server, lines, receives } = await connect(t, client);
        const expected = [await server.publish("before")];
        await lines.until((all) => all.includes("empty"), "an empty event");
        expected.push(await server.publish("after"));
        await receives(expected);
      });
    }
  }
});
