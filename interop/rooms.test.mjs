// Mycel's example of REST and SSE: its calls with curl, as its README has them, and a page with several streams. Who gets
// what, and what they get after the server was killed.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Browser } from "./lib/browser.mjs";
import { Process } from "./lib/processes.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());

const EXAMPLE = new URL("../crates/config/tests/mycel/example/", import.meta.url);

/** Mycel's example, from its folder; pages of these origins may use it. Browsers come back soon. */
async function serve(t, origins = ["*"]) {
  const cors = JSON.stringify(origins);
  const server = await Server.startFolder(EXAMPLE, ["events"], {
    FANFARE__SINKS__EVENTS__CORS__ALLOWED_ORIGINS: cors,
    FANFARE__SINKS__EVENTS__RETRY: "200ms",
    FANFARE__SOURCES__API__EXTRACTOR__CORS: `{ allowed_origins = ${cors} }`,
  });
  t.after(() => server.stop());
  return server;
}

/** Calls an operation as the README does; gives the event's id. */
async function call(server, path, input) {
  const json = ["-H", "Content-Type: application/json", "-d", JSON.stringify(input)];
  const process = new Process("curl", ["--silent", "--show-error", "-X", "POST", server.url(path), ...json]);
  await process.ended;
  const answer = JSON.parse(process.stdout.all.join("\n"));
  assert.deepEqual(Object.keys(answer), ["affected", "id"]);
  assert.equal(answer.affected, 1);
  assert.equal(typeof answer.id, "string");
}

/** `curl -N` with a stream open; `receives` waits for these messages and no others before them. */
async function listen(t, server, query, ...args) {
  const url = `http://127.0.0.1:${server.listeners.events}/events${query}`;
  const process = new Process("curl", ["--silent", "--verbose", "-N", ...args, url]);
  t.after(() => process.end("SIGKILL"));
  const { stdout: lines, stderr } = process;
  await stderr.until((all) => all.includes("< HTTP/1.1 200 OK"), "the head of the answer");
  const messages = (all) => {
    const blocks = all.join("\n").split("\n\n");
    return blocks.filter((block) => block && !block.startsWith(":")).map((block) => block.split("\n"));
  };
  return {
    async receives(expected) {
      const isThere = (all) => all.at(-1) === "" && messages(all).length >= expected.length && messages(all);
      const seen = await lines.until(isThere, JSON.stringify(expected));
      for (const [id, ...rest] of seen) {
        assert.match(id, /^id: \d+$/);
        assert.equal(rest[0], "event: message");
      }
      assert.deepEqual(seen.map(([, , data]) => data), expected.map((data) => `data: ${JSON.stringify(data)}`));
      return seen.map(([id]) => id.slice("id: ".length));
    },
  };
}

const HELLO = { message: "Hello everyone!" };
const ORDER = { message: "New order received!" };
const SHIPPED = { message: "Your order shipped!" };

describe("Mycel's example", { concurrency: 4 }, () => {
  test("curl: everyone, a room, rooms, a user", async (t) => {
    const server = await serve(t);
    const open = (query, ...args) => listen(t, server, query, ...args);
    const everyone = await open("");
    const room = await open("?room=orders");
    const rooms = await open("?rooms=orders,inventory");
    const user = await open("?user_id=42");
    await call(server, "/notify", HELLO);
    await call(server, "/notify/orders", ORDER);
    await call(server, "/notify/inventory", { message: "Restocked" });
    await call(server, "/notify/user/42", SHIPPED);
    await call(server, "/notify/user/7", SHIPPED);
    await call(server, "/notify", { last: true });
    const order = { ...ORDER, room: "orders" };
    const last = { last: true };
    const ids = [
      await everyone.receives([HELLO, last]),
      await room.receives([HELLO, order, last]),
      await rooms.receives([HELLO, order, { message: "Restocked", room: "inventory" }, last]),
      await user.receives([HELLO, { ...SHIPPED, user_id: "42" }, last]),
    ];
    // An event has one id, whoever gets it.
    assert.equal(new Set(ids.map(([first]) => first)).size, 1);
    assert.equal(ids[1][1], ids[2][1]);

    // Who comes back gets what they could have seen, and nothing that was for others.
    await server.restart("SIGKILL");
    const again = (query) => open(query, "-H", `Last-Event-ID: ${ids[0][0]}`);
    await (await again("")).receives([last]);
    await (await again("?room=orders")).receives([order, last]);
    await (await again("?user_id=7")).receives([{ ...SHIPPED, user_id: "7" }, last]);
  });

  test("curl: the room in the URL is the room", async (t) => {
    const server = await serve(t);
    const orders = await listen(t, server, "?room=orders");
    const inventory = await listen(t, server, "?room=inventory");
    await call(server, "/notify/orders?room=inventory", { room: "inventory" });
    await call(server, "/notify", HELLO);
    await orders.receives([{ room: "orders" }, HELLO]);
    await inventory.receives([HELLO]);
  });

  test("Chromium: streams of two origins get what is theirs, through a kill of the server", async (t) => {
    const origins = [browser.origin, browser.originAt("localhost")];
    const server = await serve(t, origins);
    const proxy = await Proxy.start(server.listeners.events);
    t.after(() => proxy.stop());
    const url = `http://127.0.0.1:${proxy.port}/events`;
    const pages = [];
    for (const origin of origins) {
      const page = await browser.open("rooms.html", url, undefined, origin);
      t.after(() => page.stop());
      pages.push(page);
    }
    const names = ["everyone", "room", "user"];
    const of = (all, name, isOpening) =>
      all.filter((line) => line.startsWith(`${name} `) && line.endsWith(" open") === isOpening);
    const opened = (times) =>
      Promise.all(
        pages.map(({ lines }) =>
          lines.until((all) => names.every((name) => of(all, name, true).length >= times), `all open ${times} times`),
        ),
      );
    const expected = { everyone: [], room: [], user: [] };
    const send = async (number) => {
      const message = (to) => ({ number, to });
      await call(server, "/notify", message("everyone"));
      await call(server, "/notify/orders", message("room"));
      await call(server, "/notify/inventory", message("nobody"));
      await call(server, "/notify/user/42", message("user"));
      for (const name of names) expected[name].push(message("everyone"));
      expected.room.push({ ...message("room"), room: "orders" });
      expected.user.push({ ...message("user"), user_id: "42" });
    };
    const receive = async () => {
      for (const { lines } of pages) {
        for (const name of names) {
          const wanted = expected[name].map((data) => JSON.stringify(data));
          await lines.until((all) => of(all, name, false).length >= wanted.length, `${name}: ${wanted.join("\n")}`);
          const seen = of(lines.all, name, false).map((line) => line.replace(/^\w+ \d+ /, ""));
          assert.deepEqual(seen, wanted, name);
        }
      }
    };
    await opened(1);
    await send(1);
    await receive();
    proxy.cut();
    await send(2);
    await server.restart("SIGKILL");
    await send(3);
    proxy.mend();
    await opened(2);
    await send(4);
    await receive();
  });

  test("Chromium: what comes before a room's first message is not lost", async (t) => {
    const server = await serve(t);
    const proxy = await Proxy.start(server.listeners.events);
    t.after(() => proxy.stop());
    const page = await browser.open("rooms.html", `http://127.0.0.1:${proxy.port}/events`);
    t.after(() => page.stop());
    await page.lines.until((all) => all.filter((line) => line.endsWith(" open")).length === 3, "three streams");
    proxy.cut();
    await call(server, "/notify/orders", ORDER);
    await server.restart("SIGKILL");
    proxy.mend();
    const order = JSON.stringify({ ...ORDER, room: "orders" });
    await page.lines.until((all) => all.some((line) => line.startsWith("room ") && line.endsWith(order)), order);
    const messages = page.lines.all.filter((line) => !line.endsWith(" open"));
    assert.equal(messages.length, 1, messages.join("\n"));
  });

  test("Chromium: pages of allowed origins may call operations, others neither call nor listen", async (t) => {
    const server = await serve(t, [browser.origin]);
    const url = `http://127.0.0.1:${server.listeners.events}/events`;
    const page = await browser.open("rooms.html", url);
    t.after(() => page.stop());
    const foreign = await browser.open("rooms.html", url, undefined, browser.originAt("localhost"));
    t.after(() => foreign.stop());
    await page.lines.until((all) => all.includes("room open"), "the room's stream");
    await foreign.lines.until((all) => all.filter((line) => line.endsWith(" refused")).length === 3, "refusals");
    const target = server.url("/notify/orders");
    assert.equal(await foreign.call(target, { message: "foreign" }), null);
    assert.equal((await page.call(target, ORDER)).affected, 1);
    const order = JSON.stringify({ ...ORDER, room: "orders" });
    await page.lines.until((all) => all.some((line) => line.endsWith(order)), order);
    assert.ok(!page.lines.all.some((line) => line.includes("foreign")), "the preflight kept it away");
  });
});
