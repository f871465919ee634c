// Call every endpoint with the client on fetch that orval has generated; check requests and answers
// by its schemas of zod. SERVICE_URL and SERVICE_KEY name the service.
import assert from "node:assert/strict";

import * as api from "./generated/client.js";
import * as zod from "./generated/zod.js";

const options = { headers: { Authorization: `Bearer ${process.env.SERVICE_KEY}` } };
const history = [{ movie_id: 50, stars: 5 }, { movie_id: 296 }];
const filters = { year_min: 1990 };
const user = { user_id: "anna" };

interface Schema<T> {
  parse(value: unknown): T;
}

/** Return the data of a 200, after its schema; zod drops keys that a schema does not name. */
async function answer<T>(
  call: Promise<{ status: number; data: unknown }>,
  schema: Schema<T>,
): Promise<T> {
  const { status, data } = await call;
  assert.equal(status, 200, JSON.stringify(data));
  const parsed = schema.parse(data);
  assert.deepEqual(parsed, data);
  return parsed;
}

async function callLists(): Promise<void> {
  const body = zod.RecommendBody.parse({ history, k: 3, filters, explain: true });
  const page = await answer(api.recommend(body, options), zod.RecommendResponse);
  assert.ok(page.next_offset === 3 && page.items[0]!.stars!.p_like <= 1);
  const requests = [{ user_id: 42, k: 2 }, { filters: { genres: ["No such genre"] } }];
  const batchBody = zod.RecommendBatchBody.parse({ requests });
  const batch = await answer(api.recommendBatch(batchBody, options), zod.RecommendBatchResponse);
  const [first, second] = batch.results;
  assert.ok(first && "items" in first && first.items.length === 2);
  assert.ok(second && "error" in second);
  const asked = zod.PredictBody.parse({ user_id: "anna", history, movie_ids: [6, 1] });
  const predictions = await answer(api.predict(asked, options), zod.PredictResponse);
  assert.deepEqual(predictions.items.map((item) => item.movie_id), [6, 1]);
  const ranked = zod.RerankBody.parse({ history, movie_ids: [6, 1] });
  assert.equal((await answer(api.rerank(ranked, options), zod.RerankResponse)).items.length, 2);
  const one = zod.SimilarBody.parse({ movie_id: 6, k: 2, filters });
  const like = await answer(api.similar(one, options), zod.SimilarResponse);
  assert.ok(like.items.length === 2 && like.items.every((item) => (item.year ?? 0) >= 1990));
  const both = zod.SimilarBody.parse({ movie_ids: [6, 50], k: 4 });
  assert.equal((await answer(api.similar(both, options), zod.SimilarResponse)).items.length, 4);
  const kind = zod.ChartsBody.parse({ kind: "hidden_gems", k: 2 });
  assert.equal((await answer(api.charts(kind, options), zod.ChartsResponse)).items.length, 2);
  const next = zod.RateNextBody.parse({ ...user, k: 2 });
  const questions = await answer(api.rateNext(next, options), zod.RateNextResponse);
  assert.ok(questions.items[0]!.why.seen_probability <= 1);
}

async function callEventsAndUsers(): Promise<void> {
  const at = new Date().toISOString();
  const event = { event_id: "e-1", user_id: "anna", movie_id: 6, kind: "rating", stars: 4, at };
  const body = zod.EventsBody.parse({ events: [event] });
  const receipt = await answer(api.events(body, options), zod.EventsResponse);
  assert.deepEqual([receipt.accepted, receipt.rejected], [1, []]);
  const stored = await answer(api.getHistory("anna", options), zod.GetHistoryResponse);
  assert.deepEqual([stored.items[0]!.movie_id, stored.items[0]!.stars], [6, 4]);
  const same = await answer(api.usersHistory(user, options), zod.UsersHistoryResponse);
  assert.deepEqual(same, stored);
  const copy = await answer(api.usersExport(user, options), zod.UsersExportResponse);
  assert.equal(copy.events[0]!.event_id, "e-1");
  const erased = await answer(api.usersErase(user, options), zod.UsersEraseResponse);
  assert.equal(erased.deleted, 1);
  const deleted = await answer(api.deleteUser("anna", options), zod.DeleteUserResponse);
  assert.equal(deleted.deleted, 0);
}

async function callMoviesAndService(): Promise<void> {
  const search = api.searchMovies({ q: "blade runner", k: 1 }, options);
  const matches = await answer(search, zod.SearchMoviesResponse);
  assert.equal(matches.items[0]!.title, "Blade Runner");
  assert.equal((await answer(api.getMovie("6", options), zod.GetMovieResponse)).title, "Heat");
  const movie = await answer(api.moviesGet({ movie_id: 6 }, options), zod.MoviesGetResponse);
  assert.equal(movie.year, 1995);
  assert.equal((await answer(api.getModel(options), zod.GetModelResponse)).name, "tiny");
  assert.equal((await answer(api.readyz(), zod.ReadyzResponse)).ready, true);
  assert.equal((await api.livez()).data, "\n");
  assert.match((await api.metrics()).data, /marquee_event_store_up/);
  assert.ok(await answer(api.openapiJson(), zod.OpenapiJsonResponse));
}

/** Leave the catalog as it was. */
async function callCatalogAndRules(): Promise<void> {
  const movies = [{ movie_id: 900, title: "The Harbor", countries: ["DE"] }];
  const put = zod.PutMoviesBody.parse({ movies });
  assert.equal((await answer(api.putMovies(put, options), zod.PutMoviesResponse)).accepted, 1);
  const page = await answer(api.listMovies({ limit: 100 }, options), zod.ListMoviesResponse);
  assert.deepEqual(page.items.at(-1)!.countries, ["DE"]);
  const deleted = await answer(api.deleteMovie("900", options), zod.DeleteMovieResponse);
  assert.equal(deleted.deleted, 1);
  const again = api.moviesDelete({ movie_id: 900 }, options);
  assert.equal((await answer(again, zod.MoviesDeleteResponse)).deleted, 0);
  const rule = zod.PutRuleBody.parse({ where: { genres: "Crime" }, action: { pin: { place: 2 } } });
  const stored = await answer(api.putRule("pin", rule, options), zod.PutRuleResponse);
  assert.equal(stored.name, "pin");
  const rules = await answer(api.listRules(options), zod.ListRulesResponse);
  assert.equal(rules.items[0]!.name, "pin");
  const gone = await answer(api.deleteRule("pin", options), zod.DeleteRuleResponse);
  assert.equal(gone.deleted, 1);
  const trial = { where: { genres: "Crime" }, action: "exclude", num_lists: 5 };
  const preview = api.rulesPreview(zod.RulesPreviewBody.parse(trial), options);
  assert.ok((await answer(preview, zod.RulesPreviewResponse)).lists > 0);
  const settings = api.usersSettings({ user_id: "bert", personalized: true }, options);
  assert.ok((await answer(settings, zod.UsersSettingsResponse)).personalized);
}

async function callWithErrors(): Promise<void> {
  const unknown = await api.getMovie("7", options);
  assert.ok(unknown.status === 404 && unknown.data.error.code === "unknown_movie");
  const neither = await api.similar({ k: 2 }, options);
  assert.ok(neither.status === 422 && neither.data.error.fields?.[0]?.field === "movie_id");
}

await callLists();
await callEventsAndUsers();
await callMoviesAndService();
await callCatalogAndRules();
await callWithErrors();
