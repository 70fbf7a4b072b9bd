// A page whose stream wants a token: in a cookie that is renewed while the stream is open, or too late, or in the URL.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { Browser } from "./lib/browser.mjs";
import { Server } from "./lib/server.mjs";

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());

const SECRET = "0123456789abcdef0123456789abcdef";

const config = (origin) => `
[sources.api.extractor]
type = "rest"
operations = ["POST /rooms/:room"]

[sinks.events]
type = "sse"
path = "/events"
profile = "message"
identity = "jwt"
retry = "200ms"
cors.allowed_origins = ["${origin}"]
[sinks.events.jwt]
cookie = "token"
query_token = true
keys = [{ algorithm = "HS256", secret = "${SECRET}" }]

[[routes]]
from = "api"
to = "events"
audience = { room = ".body.room" }
`;

/** A token for the room `orders` that holds for so many seconds. */
function token(seconds) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const claims = { sub: "42", rooms: ["orders"], exp: Math.floor(Date.now() / 1000) + seconds };
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

async function start(t) {
  const server = await Server.start("fanfare.toml", config(browser.origin));
  t.after(() => server.stop());
  const page = await browser.open("tokens.html", `http://127.0.0.1:${server.port}/events`);
  t.after(() => page.stop());
  const { lines } = page;
  const count = (all, line) => all.filter((other) => other === line).length;
  const said = (line, times = 1) => lines.until((all) => count(all, line) >= times, `"${line}" ${times} times`);
  const messages = () => lines.all.filter((line) => line.startsWith("message "));
  let sent = 0;
  const expected = [];
  const send = async () => {
    const { status, body } = await server.post("/rooms/orders", { number: (sent += 1) });
    assert.equal(status, 200, body);
    expected.push(`message ${JSON.stringify({ number: sent, room: "orders" })}`);
  };
  const receives = async () => {
    await lines.until(() => messages().length >= expected.length, expected.join("\n"));
    assert.deepEqual(messages(), expected);
  };
  return { page, lines, said, send, receives, opened: () => count(lines.all, "open") };
}

describe("Chromium: tokens", { concurrency: 4 }, () => {
  test("a cookie that is renewed in time lets the page go on without a gap", async (t) => {
    const { page, lines, said, send, receives, opened } = await start(t);
    await page.call("renew", token(4));
    await page.call("listen", "room=orders");
    await said("open");
    await said("expiring");
    await send();
    await page.call("renew", token(600));
    // Also while there is no stream.
    while (opened() < 2) await send();
    await send();
    await receives();
    assert.ok(!lines.all.includes("refused"));
  });

  test("without a new cookie the page is refused, and with one it gets what it missed", async (t) => {
    const { page, said, send, receives } = await start(t);
    await page.call("renew", token(3));
    await page.call("listen", "room=orders");
    await said("open");
    // No message has told where the stream is; `expiring` does.
    await said("expiring");
    await said("refused");
    await send();
    await page.call("renew", token(600));
    await page.call("listen", "room=orders");
    await said("open", 2);
    await send();
    await receives();
  });

  test("a token in the URL is taken, and a room that it does not grant is refused", async (t) => {
    const { page, said, send, receives } = await start(t);
    await page.call("listen", `room=orders&access_token=${token(600)}`);
    await said("open");
    await send();
    await receives();
    await page.call("listen", `room=inventory&access_token=${token(600)}`);
    await said("refused");
  });
});
