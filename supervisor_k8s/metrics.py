"""Every Prometheus metric, declared once, so that names and labels are seen side by side.

Labels take few values on purpose: a slug or a pod name is never one.
"""

from prometheus_client import Counter, Gauge, Histogram, Summary

CLUSTER_REQUESTS = Counter(
    "supervisor_cluster_requests_total",
    "Requests to the Kubernetes API server; code is the HTTP status, or error when there was no answer.",
    ["verb", "code"],
)
CLUSTER_CONNECTED = Gauge(
    "supervisor_cluster_connected",
    "1 while every watch on the Kubernetes API server is established.",
)
LEASE_HELD = Gauge(
    "supervisor_lease_held",
    "1 while this Supervisor may act; 0 while it waits for another one, or for the API server.",
)
WATCH_RESTARTS = Counter(
    "supervisor_watch_restarts_total",
    "Watches that ended: regular (their time was over), expired (a new list was needed), broken (an error or silence).",
    ["kind", "reason"],
)
CACHED_OBJECTS = Gauge(
    "supervisor_cached_objects",
    "Objects in the watch cache.",
    ["kind"],
)
CONVERGES = Counter(
    "supervisor_converges_total",
    "Converges of one workload: ok, refused (not retried until something changes), failed (retried).",
    ["result"],
)
CONVERGE_SECONDS = Histogram(
    "supervisor_converge_seconds",
    "Duration of one converge.",
    buckets=(0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120),
)
API_REQUESTS = Counter(
    "supervisor_api_requests_total",
    "Requests to our API by the template of their route and by the answer's status; none: the client had left.",
    ["method", "route", "status"],
)
API_SECONDS = Summary(
    "supervisor_api_request_seconds",
    "Duration of requests to our API, from the last byte of the headers to the answer; streams are left out.",
    ["method", "route"],
)
