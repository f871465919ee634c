// A client on fetch, and the schemas of zod for requests and responses.
const input = "./openapi.json";
const baseUrl = process.env.SERVICE_URL;

export default {
  client: { input, output: { target: "./generated/client.ts", client: "fetch", baseUrl } },
  zod: { input, output: { target: "./generated/zod.ts", client: "zod" } },
};
