// Headless Chromium, and the origin that its pages come from: another port than the server's, so another origin.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

import { chromium } from "playwright-core";

import { Lines, within } from "./lines.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

/** Where pages, and the packages that they import, are served from. */
const FOLDERS = { pages: new URL("../pages/", import.meta.url), modules: new URL("../node_modules/", import.meta.url) };

export class Browser {
  #stopping = false;

  static async start() {
    const browser = new Browser();
    browser.listener = createServer((request, response) => serveFile(request, response));
    await once(browser.listener.listen(0, "127.0.0.1"), "listening");
    browser.origin = browser.originAt("127.0.0.1");
    // Playwright gives it a fresh --user-data-dir.
    browser.chromium = await chromium.launch({ executablePath: process.env.CHROMIUM_BIN, args: FLAGS });
    browser.chromium.on("disconnected", () => browser.#stopping || console.error("Chromium ended by itself"));
    return browser;
  }

  /** The origin of the pages under another name of this machine. */
  originAt(host) {
    return `http://${host}:${this.listener.address().port}`;
  }

  /** Opens a page as a client of a stream, in a profile of its own. */
  async open(page, url, token, origin = this.origin) {
    const lines = new Lines();
    // Certificates of tests are of no authority that it knows.
    const context = await within(this.chromium.newContext({ ignoreHTTPSErrors: true }), () => "a new browser profile");
    const tab = await within(context.newPage(), () => "a new browser tab");
    tab.on("pageerror", (error) => lines.push(`page error: ${error}`));
    await tab.exposeFunction("print", (...words) => lines.push(words.join(" ")));
    const query = new URLSearchParams({ url, ...(token && { token }) });
    await tab.goto(`${origin}/pages/${page}?${query}`);
    // `call` is the page's, where it has one.
    const call = (...words) => tab.evaluate((words) => call(...words), words);
    return { lines, call, stop: () => within(context.close(), () => "the end of a browser profile") };
  }

  async stop() {
    this.#stopping = true;
    await this.chromium.close();
    this.listener.close();
  }
}

async function serveFile(request, response) {
  const { pathname } = new URL(request.url, "http://origin");
  const [, folder, ...path] = pathname.split("/");
  try {
    const file = await readFile(new URL(path.join("/"), FOLDERS[folder]));
    response.writeHead(200, { "content-type": TYPES[extname(pathname)] ?? "application/octet-stream" }).end(file);
  } catch {
    response.writeHead(404).end();
  }
}
