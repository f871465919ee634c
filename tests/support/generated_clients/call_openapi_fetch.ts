// Call every endpoint with openapi-fetch and the types that openapi-typescript has generated.
// SERVICE_URL and SERVICE_KEY name the service.
import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { paths } from "./generated/api.js";

const client = createClient<paths>({
  baseUrl: process.env.SERVICE_URL,
  headers: { Authorization: `Bearer ${process.env.SERVICE_KEY}` },
});
const history = [{ movie_id: 50, stars: 5 }, { movie_id: 296 }];
const filters = { year_min: 1990 };
const user = { body: { user_id: "anna" } };
const path = { params: { path: { user_id: "anna" } } };
const movie = (movie_id: string) => ({ params: { path: { movie_id } } });

/** Return the answer, which is an error or typed data. */
async function answer<T>(call: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await call;
  assert.equal(error, undefined);
  assert.notEqual(data, undefined);
  return data as T;
}

async function callLists(): Promise<void> {
  const body = { history, k: 3, filters, explain: true };
  const page = await answer(client.POST("/recommend", { body }));
  assert.equal(page.items.length, 3);
  assert.ok(page.next_offset === 3 && page.items[0]!.stars!.p_like <= 1);
  const requests = [{ user_id: 42, k: 2 }, { filters: { genres: ["No such genre"] } }];
  const batch = await answer(client.POST("/recommend_batch", { body: { requests } }));
  const [first, second] = batch.results;
  assert.ok(first && "items" in first && first.items.length === 2);
  assert.ok(second && "error" in second);
  const movie_ids = [6, 1];
  const asked = { user_id: "anna", history, movie_ids };
  const predictions = await answer(client.POST("/predict", { body: asked }));
  assert.deepEqual(predictions.items.map((item) => item.movie_id), movie_ids);
  const ranking = await answer(client.POST("/rerank", { body: { history, movie_ids } }));
  assert.equal(ranking.items.length, 2);
  const like = await answer(client.POST("/similar", { body: { movie_id: 6, k: 2, filters } }));
  assert.ok(like.items.length === 2 && like.items.every((item) => (item.year ?? 0) >= 1990));
  const both = { movie_ids: [6, 50], k: 4 };
  assert.equal((await answer(client.POST("/similar", { body: both }))).items.length, 4);
  const chart = await answer(client.POST("/charts", { body: { kind: "hidden_gems", k: 2 } }));
  assert.equal(chart.items.length, 2);
  const next = await answer(client.POST("/rate_next", { body: { user_id: "anna", k: 2 } }));
  assert.ok(next.items[0]!.why.seen_probability <= 1);
}

async function callEventsAndUsers(): Promise<void> {
  const at = new Date().toISOString();
  const event = { event_id: "e-1", user_id: "anna", movie_id: 6, stars: 4, at };
  const body = { events: [{ ...event, kind: "rating" as const }] };
  const receipt = await answer(client.POST("/events", { body }));
  assert.deepEqual([receipt.accepted, receipt.rejected], [1, []]);
  const stored = await answer(client.GET("/users/{user_id}/history", path));
  assert.deepEqual([stored.items[0]!.movie_id, stored.items[0]!.stars], [6, 4]);
  assert.deepEqual(await answer(client.POST("/users/history", user)), stored);
  const copy = await answer(client.POST("/users/export", user));
  assert.equal(copy.events[0]!.event_id, "e-1");
  assert.equal((await answer(client.POST("/users/erase", user))).deleted, 1);
  assert.equal((await answer(client.DELETE("/users/{user_id}", path))).deleted, 0);
}

async function callMoviesAndService(): Promise<void> {
  const query = { q: "blade runner", k: 1 };
  const matches = await answer(client.GET("/movies/search", { params: { query } }));
  assert.equal(matches.items[0]!.title, "Blade Runner");
  assert.equal((await answer(client.GET("/movies/{movie_id}", movie("6")))).title, "Heat");
  assert.equal((await answer(client.POST("/movies/get", { body: { movie_id: 6 } }))).year, 1995);
  assert.equal((await answer(client.GET("/model"))).name, "tiny");
  assert.equal((await answer(client.GET("/readyz"))).ready, true);
  assert.equal(await answer(client.GET("/livez", { parseAs: "text" })), "\n");
  const metrics = await answer(client.GET("/metrics", { parseAs: "text" }));
  assert.match(metrics, /marquee_event_store_up/);
  assert.ok(await answer(client.GET("/openapi.json")));
}

/** Leave the catalog as it was. */
async function callCatalogAndRules(): Promise<void> {
  const movies = [{ movie_id: 900, title: "The Harbor", countries: ["DE"] }];
  assert.equal((await answer(client.PUT("/movies", { body: { movies } }))).accepted, 1);
  const page = await answer(client.GET("/movies", { params: { query: { limit: 100 } } }));
  assert.deepEqual(page.items.at(-1)!.countries, ["DE"]);
  assert.equal((await answer(client.DELETE("/movies/{movie_id}", movie("900")))).deleted, 1);
  const again = await answer(client.POST("/movies/delete", { body: { movie_id: 900 } }));
  assert.equal(again.deleted, 0);
  const named = { params: { path: { name: "pin" } } };
  const rule = { where: { genres: "Crime" }, action: { pin: { place: 2 } } };
  const stored = await answer(client.PUT("/rules/{name}", { ...named, body: rule }));
  assert.equal(stored.name, "pin");
  assert.equal((await answer(client.GET("/rules"))).items[0]!.name, "pin");
  assert.equal((await answer(client.DELETE("/rules/{name}", named))).deleted, 1);
  const trial = { where: { genres: "Crime" }, action: "exclude" as const, num_lists: 5 };
  assert.ok((await answer(client.POST("/rules/preview", { body: trial }))).lists > 0);
  const settings = { user_id: "bert", personalized: true };
  assert.ok((await answer(client.POST("/users/settings", { body: settings }))).personalized);
}

async function callWithErrors(): Promise<void> {
  const unknown = await client.GET("/movies/{movie_id}", movie("7"));
  assert.equal(unknown.response.status, 404);
  assert.equal(unknown.error?.error.code, "unknown_movie");
  const neither = await client.POST("/similar", { body: { k: 2 } });
  assert.equal(neither.response.status, 422);
  assert.equal(neither.error?.error.fields?.[0]?.field, "movie_id");
}

await callLists();
await callEventsAndUsers();
await callMoviesAndService();
await callCatalogAndRules();
await callWithErrors();
