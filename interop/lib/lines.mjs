// What a program prints, line by line, and waiting for more of it. Every wait has a bound.

import { createInterface } from "node:readline";

const PATIENCE_MS = 30_000;

/** The value of a promise, or an error that says what did not happen in time. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${PATIENCE_MS / 1000} s: ${what()}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Lines {
  all = [];
  #watchers = new Set();

  /** Collects what a stream of bytes brings. */
  static of(stream) {
    const lines = new Lines();
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
    return lines;
  }

  push(line) {
    this.all.push(line);
    for (const look of this.#watchers) look();
  }

  /** Waits until `find(all lines)` gives something, and gives that. */
  async until(find, what) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const value = find(this.all);
        if (value) resolve(value);
      };
      this.#watchers.add(look);
      look();
    });
    const shown = () => `${what}; there is:\n${this.all.join("\n")}`;
    return within(found, shown).finally(() => this.#watchers.delete(look));
  }
}
