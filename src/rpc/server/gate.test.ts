import { afterEach, expect, it } from "vitest";
import { fakeMaster } from "../../../test/support/fake-master.ts";
import { gateCases, type RouteTable, wrongVerdicts } from "../../../test/support/gate-cases.ts";
import { systemClock } from "../../base/system/clock.ts";
import { randomToken } from "../access/token-digest.ts";
import { fixedTokens } from "../access/tokens.ts";
import { Gate } from "./gate.ts";
import type { HttpRoute, Listener } from "./http.ts";
import { listen, type Opened, opened } from "./listener.ts";
import { masterService } from "./service.ts";

const listeners: Listener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close(0);
});

const table: RouteTable = {
  "GET /healthz": "open",
  "GET /metrics": "read",
  "PUT /v1/blobs/:sha256": "submit",
  "GET /v1/blobs/:sha256": "submit|worker",
  "POST /v1/segments/:job": "job-key",
  "GET /v1/logs/:job/:attempt": "job-key",
  "POST /millrace.v1.Workers/Hello": "worker",
  "POST /millrace.v1.Workers/Heartbeat": "worker",
  "POST /millrace.v1.Jobs/Hello": "read",
  "POST /millrace.v1.Jobs/Submit": "submit",
  "POST /millrace.v1.Jobs/Get": "read",
  "POST /millrace.v1.Jobs/View": "read",
  "POST /millrace.v1.Jobs/Watch": "read",
  "POST /millrace.v1.Jobs/Cancel": "submit",
  "POST /millrace.v1.Jobs/Retry": "submit",
  "POST /millrace.v1.Jobs/Drain": "admin",
  "POST /millrace.v1.Jobs/Logs": "read",
  "POST /millrace.v1.Jobs/History": "read",
};

function route(method: HttpRoute["method"], path: string, scope: HttpRoute["scope"]): HttpRoute {
  return { method, path, scope, bodyBytesMax: 100, handle: async (_request, response) => void response.end("ok") };
}

it("S2, S11, S12, S27: each route and method lets pass whom it is for, and nobody else, whatever they say and wherever they come from", async () => {
  const tokens = { admin: randomToken(), submit: randomToken(), worker: randomToken(), read: randomToken() };
  const gate = new Gate({
    tokens: fixedTokens({
      admin: [tokens.admin],
      submit: [tokens.submit],
      worker: [tokens.worker],
      read: [tokens.read],
    }),
    clock: systemClock,
  });
  let served: Opened["served"] = [];
  const note = (message: unknown) => {
    served = (message as Opened).served;
  };
  opened.subscribe(note);
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    gate,
    rpc: masterService(fakeMaster()),
    routes: [
      route("GET", "/healthz", "open"),
      route("GET", "/metrics", "read"),
      route("PUT", "/v1/blobs/:sha256", "submit"),
      route("GET", "/v1/blobs/:sha256", ["submit", "worker"]),
      route("POST", "/v1/segments/:job", "job-key"),
      route("GET", "/v1/logs/:job/:attempt", "job-key"),
    ],
  });
  listeners.push(listener);
  opened.unsubscribe(note);
  // A route or method that is not listed here fails this test.
  const found = Object.fromEntries(
    served.map(({ method, path, scope }) => [`${method} ${path}`, typeof scope === "string" ? scope : scope.join("|")]),
  );
  expect(found).toEqual(table);
  const port = Number(new URL(listener.address).port);
  const cases = gateCases(table, tokens, port);
  expect(cases.length).toBeGreaterThan(3000);
  expect(await wrongVerdicts(cases, port)).toEqual([]);
}, 240_000);
