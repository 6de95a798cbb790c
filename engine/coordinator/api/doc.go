// Package api serves a coordinator over HTTP, for people and their tools: see docs/api.md and docs/openapi.yaml, which a test
// compares with what is here.
//
//	GET  /api/v1/cluster  /workers  /jobs  /jobs/{id}  /jobs/{id}/metrics  /jobs/{id}/info  /events
//	POST /api/v1/jobs  /jobs/{id}/drain  /jobs/{id}/cancel  /profile       with "Authorization: Bearer <secret in hex>"
//	GET  /metrics  /healthz  /readyz  /debug/pprof/
//
//	request ──▶ recover ──▶ body limit ──▶ secret (writes) ──▶ handler ──▶ Coordinator ──▶ JSON
//	                                                              └─ error ──▶ {"error":{"code":…,"message":…}}
//
// Invariants:
//
//   - Nothing changes without the secret. Reading needs none, which is why the API is bound to the loopback interface unless
//     told otherwise; /debug/pprof wants it from everywhere else.
//   - Every error is a JSON object with a code that programs may rely on.
//   - Bodies, headers and the time of a request are bounded; a panic costs the request.
//   - Numbers beyond 53 bits, times τ and hashes are strings; durations are in the unit that their names end with.
//
// A Server has the goroutines of net/http; Close joins them. Handlers are called from any of them.
package api
