// The real binary on a free port, in a folder of its own.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Process } from "./processes.mjs";

/** The tokens that the sinks ask for; the server knows them from its configuration. */
export const TOKENS = { team: "team-7", admin: "admin-secret-key" };

/** A configuration that gives each client what it needs; pages from `origin` may read its streams. */
export const config = (origin) => `
[sources.ci.extractor]
type = "webhook"
id = "events"

# For the browser's own EventSource, which can send no headers.
[sinks.open]
type = "sse"
id = "open"
retry = "200ms"
cors.allowed_origins = ["${origin}"]

# A short keep-alive, so that every client meets some.
[sinks.team]
type = "sse"
id = "team"
keep_alive = "1s"
retry = "200ms"
cors.allowed_origins = ["${origin}"]
[sinks.team.headers]
"Authorization" = { type = "matches", pattern = "^Bearer team-[\\\\w-]+$" }

[sinks.admin]
type = "sse"
id = "admin"
retry = "200ms"
cors.allowed_origins = ["${origin}"]
[sinks.admin.headers]
"Authorization" = { type = "equals", value = "Bearer ${TOKENS.admin}", case_sensitive = true }
`;

/** The port, and the name if it has one, in a line that says where a server listens. */
function listener(line) {
  const found = /^listening on https?:\/\/127\.0\.0\.1:(\d+)(?: as (.+))?$/.exec(line);
  return found ? [{ port: Number(found[1]), name: found[2] }] : [];
}

export class Server {
  /** The ports of listeners with names. */
  listeners = {};

  /** Starts it with a configuration file of this name and text. */
  static async start(name, text) {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "fanfare-interop-"));
    server.config = join(server.folder, name);
    await writeFile(server.config, text);
    await server.run(0);
    return server;
  }

  /** Starts it with a copy of a folder; `listeners` are the names of those beside the first, and `env` overrides keys. */
  static async startFolder(folder, listeners, env) {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "fanfare-interop-"));
    server.config = join(server.folder, "config");
    server.env = env;
    for (const name of listeners) server.listeners[name] = 0;
    await cp(folder, server.config, { recursive: true });
    await server.run(0);
    return server;
  }

  async run(port) {
    const args = ["serve", "--config", this.config];
    const env = { ...this.env, FANFARE__HTTP__HOST: "127.0.0.1", FANFARE__HTTP__PORT: String(port) };
    for (const [name, port] of Object.entries(this.listeners)) {
      env[`FANFARE__LISTENERS__${name.toUpperCase()}__HOST`] = "127.0.0.1";
      env[`FANFARE__LISTENERS__${name.toUpperCase()}__PORT`] = String(port);
    }
    this.process = new Process(process.env.FANFARE_BIN, args, env);
    const { stdout, stderr, ended } = this.process;
    // The line of the log comes behind those of the listeners.
    const listening = stdout.until(
      (lines) => lines.some((line) => line.startsWith("  log ")) && lines.flatMap(listener),
      "the lines that say where the server listens",
    );
    const died = ended.then(() => {
      throw new Error(`the server ended:\n${stderr.all.join("\n")}`);
    });
    died.catch(() => {});
    const listeners = await Promise.race([listening, died]);
    this.port = listeners[0].port;
    for (const { name, port } of listeners) if (name) this.listeners[name] = port;
  }

  /** Ends it with this signal, and starts it again on the same port. */
  async restart(signal) {
    await this.process.end(signal);
    await this.run(this.port);
  }

  async stop() {
    await this.process.end("SIGKILL");
    await rm(this.folder, { recursive: true });
  }

  /** Publishes an event about this subject, and gives the line that a client prints for it. */
  async publish(subject) {
    const id = `dev.cdevents.build.queued.0.2.0-${crypto.randomUUID()}`;
    const event = {
      context: { version: "0.4.1", id, source: "/interop", type: "dev.cdevents.build.queued.0.2.0" },
      subject: { id: subject, type: "build", content: {} },
    };
    const { status, body } = await this.post("/webhook/events", event);
    assert.equal(status, 201, body);
    return `event cdevent ${id} ${subject}`;
  }

  url(path) {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  get(path) {
    return this.#ask(path, {});
  }

  post(path, json) {
    const body = json && { headers: { "content-type": "application/json" }, body: JSON.stringify(json) };
    return this.#ask(path, { method: "POST", ...body });
  }

  async #ask(path, request) {
    const response = await fetch(this.url(path), { ...request, signal: AbortSignal.timeout(30_000) });
    return { status: response.status, body: await response.text() };
  }
}
