// HTTPS and HTTP/2: many streams of one page, and curl.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Browser } from "./lib/browser.mjs";
import { Process } from "./lib/processes.mjs";
import { Server } from "./lib/server.mjs";

let browser, folder;
before(async () => {
  browser = await Browser.start();
  folder = await mkdtemp(join(tmpdir(), "fanfare-interop-"));
  // As docs/tls.md makes one.
  const make =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost " +
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1";
  const openssl = new Process("openssl", [...make.split(" "), "-keyout", `${folder}/tls.key`, "-out", `${folder}/tls.crt`]);
  const [code] = await openssl.ended;
  assert.equal(code, 0, openssl.stderr.all.join("\n"));
});
after(async () => {
  await browser?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** A server that takes events over HTTP and streams them over HTTPS. */
async function serve(t) {
  const server = await Server.start(
    "fanfare.toml",
    `
[sources.ci.extractor]
type = "webhook"
id = "events"

[listeners.secure]
host = "127.0.0.1"
port = 0
tls = { certificate = "${folder}/tls.crt", key = "${folder}/tls.key" }

[sinks.open]
type = "sse"
id = "open"
listener = "secure"
retry = "200ms"
cors.allowed_origins = ["${browser.origin}"]

[sinks.plain]
type = "sse"
id = "plain"
`,
  );
  t.after(() => server.stop());
  return server;
}

/** The other ends of the streams that the server says have opened. */
function peers(server) {
  const opened = server.process.stderr.all.filter((line) => line.includes("stream opened"));
  return opened.map((line) => / peer=(\S+)/.exec(line)[1]);
}

describe("TLS and HTTP/2", () => {
  test("Chromium: a hundred EventSources of a page share a connection, and come back to what they missed", async (t) => {
    const server = await serve(t);
    const { lines, stop } = await browser.open("hundred.html", `https://127.0.0.1:${server.listeners.secure}/sse/open`);
    t.after(stop);
    const expected = ["open 1"];
    const all = () => lines.until((all) => all.length >= expected.length && all, expected.join("\n"));
    assert.deepEqual(await all(), expected);
    assert.equal(peers(server).length, 100);
    assert.equal(new Set(peers(server)).size, 1, "one connection");
    for (let n = 1; n <= 10; n++) expected.push(await server.publish(`before-${n}`));
    assert.deepEqual(await all(), expected);

    await server.restart("SIGTERM");
    const missed = await server.publish("missed");
    // Some may come back, and get it, before others are open again.
    await lines.until((all) => all.includes(missed) && all.includes("open 2"), "all streams open again");
    assert.deepEqual(lines.all.slice(expected.length).sort(), [missed, "open 2"].sort());
    const last = await server.publish("after");
    await lines.until((all) => all.includes(last), last);
    assert.ok(!lines.all.some((line) => line.startsWith("twice") || line.startsWith("refused")), lines.all.join("\n"));
  });

  for (const [name, version, sink, ...args] of [
    ["over HTTPS", "HTTP/2", "open"],
    ["over HTTPS with HTTP/1.1", "HTTP/1.1", "open", "--http1.1"],
    ["over HTTP/2 without TLS", "HTTP/2", "plain", "--http2-prior-knowledge"],
  ]) {
    test(`curl: gets every event ${name}`, async (t) => {
      const server = await serve(t);
      const [origin, ...trust] =
        sink === "open"
          ? [`https://localhost:${server.listeners.secure}`, "--cacert", `${folder}/tls.crt`]
          : [`http://127.0.0.1:${server.port}`];
      const curl = new Process("curl", ["--silent", "--verbose", "-N", ...args, ...trust, `${origin}/sse/${sink}`]);
      t.after(() => curl.end("SIGKILL"));
      await curl.stderr.until((all) => all.some((line) => line.startsWith(`< ${version} 200`)), `${version} 200`);
      for (let n = 1; n <= 10; n++) {
        const [, , id] = (await server.publish(`e-${n}`)).split(" ");
        await curl.stdout.until((all) => all.includes(`id: ${id}`), id);
      }
    });
  }
});
