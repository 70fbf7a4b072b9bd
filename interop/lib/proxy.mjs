// A TCP proxy in front of a server, whose cable can be cut.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Proxy {
  #open = new Set();
  #waiting = [];
  #isCut = false;

  static async start(targetPort) {
    const proxy = new Proxy();
    proxy.listener = createServer((client) => {
      // Whoever is cut off notices by an error; so does who is half way through a write.
      client.on("error", () => {});
      const forward = () => proxy.#forward(client, targetPort);
      if (proxy.#isCut) proxy.#waiting.push(forward);
      else forward();
    });
    await once(proxy.listener.listen(0, "127.0.0.1"), "listening");
    proxy.port = proxy.listener.address().port;
    return proxy;
  }

  #forward(client, targetPort) {
    const server = connect(targetPort, "127.0.0.1");
    this.#open.add(client).add(server);
    const end = () => {
      client.destroy();
      server.destroy();
      this.#open.delete(client);
      this.#open.delete(server);
    };
    for (const socket of [client, server]) socket.on("error", end).on("close", end);
    client.pipe(server);
    server.pipe(client);
  }

  /** Resets every connection; new ones wait until the cable is mended. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  mend() {
    this.#isCut = false;
    for (const forward of this.#waiting.splice(0)) forward();
  }

  stop() {
    this.cut();
    this.listener.close();
  }
}
