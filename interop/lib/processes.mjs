// Child processes, each in a group of its own, so that what they start ends with them. None outlives this one.

import { spawn } from "node:child_process";
import { once } from "node:events";

import { Lines, within } from "./lines.mjs";

const running = new Set();

process.on("exit", () => running.forEach((child) => child.signal("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Process {
  constructor(command, args, env = {}) {
    this.command = command;
    this.child = spawn(command, args, {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.stdout = Lines.of(this.child.stdout);
    this.stderr = Lines.of(this.child.stderr);
    this.ended = once(this.child, "close").finally(() => running.delete(this));
    this.ended.catch((error) => this.stderr.push(String(error)));
    running.add(this);
  }

  signal(name) {
    try {
      process.kill(-this.child.pid, name);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }

  /** Ends it, and waits for that. */
  async end(signal) {
    if (running.has(this)) this.signal(signal);
    await within(this.ended, () => `the end of ${this.command} after ${signal}`);
  }
}
