"""A policy that uses most keys, and more than a hundred single mistakes in it, each with its place."""

from __future__ import annotations

RICH = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: rich
  labels: {team: shop}
spec:
  mode: approve
  cluster: eu
  timeZone: Europe/Berlin
  onTimeout: hold
  gitops: hold
  helm: hold
  secrets: none
  shared: ask
  metrics:
    address: https://prometheus.example.com:9090
    scrapeInterval: 15s
    labels:
      namespace: namespace
      pod: pod
      workload: app
    match: cluster="eu"
    auth:
      username: guard
      passwordFile: /etc/rollguard/password
      caFile: /etc/rollguard/ca.crt
      headers:
        X-Scope-OrgID: shop
  watch:
    - name: shop
      namespace: production
      workloads: [cart, checkout]
      signals: [errors, latency]
      calledBy: [front]
      team: shop
    - name: search
      namespace: production
      selector:
        matchLabels:
          team: search
      mode: automatic
    - name: jobs
      namespace: batch
      workloads:
        - importer
    - name: platform
      namespace: production
      releaseSet:
        selectorKey: version
        colours: [blue, green]
        members:
          - {name: backend, service: backend-service}
          - {name: frontend, service: frontend-service}
          - name: workers
            workloads:
              blue: workers-blue
              green: workers-green
            signals: [queue, crashes]
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{status=~"5.."}
      total: http_requests_total
      minimumTraffic: 50
      required: true
      levels:
        warning: {above: 1%, for: 5m}
        critical: {above: 5%, for: 5m}
        rollback: {above: 10%, for: 5m}
    latency:
      kind: histogram
      buckets: http_request_duration_seconds_bucket
      levels:
        warning:
          - {p95: 500ms, for: 5m}
          - {p99: 2s, for: 5m}
        rollback: {p95: 5s, for: 10m}
    restarts:
      kind: rate
      counter: kube_pod_container_status_restarts_total
      per: pod
      levels:
        critical: {above: 0.5/min, for: 10m}
    memory:
      kind: gauge
      gauge: container_memory_working_set_bytes
      limit: container_spec_memory_limit_bytes
      levels:
        warning: {above: 70%, for: 10m}
    queue:
      kind: gauge
      gauge: max by (namespace, pod) (queue_length)
      levels:
        warning: {above: 100, for: 10m}
    crashes:
      kind: event
      rule: crashLoop
  joinWindow: 3m
  drain: 45s
  window:
    startup: 2m
    stabilization: 10m
    automatic: 20m
    close: 1h
  timing:
    tick: 10s
    slot: 30s
    lateness: 20s
    adoptedAfter: 12h
    recovery:
      within: 5m
      for: 1m
  limits:
    rollbacks: 2
    within: 1h
    fleet: {units: 3, within: 10m}
  maintenance:
    - name: night
      days: [mon, tue]
      from: "22:00"
      to: "06:00"
      reason: nobody is there
  migration:
    pattern: prisma-migrate-*
    interlock: proven
  notify:
    webhooks:
      - name: chat
        url: https://chat.example.com/hook
        hmacKeyFile: /etc/rollguard/hmac
      - name: notes
        url: https://log.example.com/hook
    pagerduty:
      from: oncall@example.com
      api: https://api.eu.pagerduty.com
  links:
    dashboard: https://grafana.example.com/d/deployments
  contacts:
    - who: On call
      reach: PagerDuty
      about: all that pages
  retention:
    realTime: 15d
    aggregated: 90d
    longTerm: 365d
  runbooks:
    podLabel: app
    databases:
      - name: shop_prod
        pod: postgres-pod
        user: postgres
    caches: [redis-service]
    tools:
      - name: Sentry
        url: https://sentry.example.com/shop
    probes: [https://shop.example.com/health]
    smoke: npm run test:smoke
"""

MARK = "§"
"""Stands before the place that a mistake is reported at."""

SINGLE: tuple[tuple[str, str], ...] = (
    # unknown keys
    ("metadata:\n", "§metdata: {name: x}\nmetadata:\n"),
    ("  labels: {team", "  §lables: {team"),
    ("  mode: approve", "  §mod: approve"),
    ("  cluster: eu", "  §clusters: eu"),
    ("    scrapeInterval:", "    §scrape_interval:"),
    ("      workload: app", "      §workloads: app"),
    ("    match: ", "    §matches: "),
    ("      caFile: ", "      §caFiles: "),
    ("      calledBy: ", "      §called_by: "),
    ("      team: shop\n", "      §owner: shop\n"),
    ("      minimumTraffic: 50", "      §minTraffic: 50"),
    ("      per: pod", "      §pro: pod"),
    ("    startup: 2m", "    §start: 2m"),
    ("    lateness: 20s", "    §late: 20s"),
    ("    fleet: {units", "    fleet: {§unit"),
    ("        hmacKeyFile: /", "        §hmacFile: /"),
    ("    dashboard: https", "    §dashbord: https"),
    ("    interlock: proven", "    §interlocks: proven"),
    # keys that stand twice
    ("  cluster: eu\n", "  cluster: eu\n  §cluster: us\n"),
    ("      kind: rate\n", "      kind: rate\n      §kind: rate\n"),
    ("    tick: 10s\n", "    tick: 10s\n    §tick: 10s\n"),
    ("    crashes:\n", "    §errors: {kind: event, rule: crashLoop}\n    crashes:\n"),
    # required keys that are missing
    ("metadata:\n  name: rich\n", "§metadata:\n"),
    ("  metrics:\n    address: https://prometheus.example.com:9090\n", "  §metrics:\n"),
    ("    - name: jobs\n      namespace: batch\n", "    - §name: jobs\n"),
    ("    restarts:\n      kind: rate\n", "    §restarts:\n"),
    ("        critical: {above: 0.5/min, for: 10m}", "        §critical: {above: 0.5/min}"),
    (
        'errors:\n      kind: ratio\n      bad: http_requests_total{status=~"5.."}\n      total: http_requests_total',
        "§errors:\n      kind: ratio\n      bad: http_errors_total",
    ),
    (
        "    latency:\n      kind: histogram\n      buckets: http_request_duration_seconds_bucket\n",
        "    §latency:\n      kind: histogram\n",
    ),
    ("    crashes:\n      kind: event\n      rule: crashLoop\n", "    §crashes:\n      kind: event\n"),
    ("      - name: chat\n        url: https://chat.example.com/hook\n", "      - §name: chat\n"),
    (
        '- name: night\n      days: [mon, tue]\n      from: "22:00"\n      to: "06:00"\n      reason: nobody is there',
        '- §name: night\n      days: [mon, tue]\n      from: "22:00"\n      to: "06:00"',
    ),
    ("  migration:\n    pattern: prisma-migrate-*\n", "  §migration:\n"),
    (
        "    auth:\n      username: guard\n      passwordFile: /etc/rollguard/password\n",
        "    §auth:\n      username: guard\n",
    ),
    # wrong units and numbers
    ("scrapeInterval: 15s", "scrapeInterval: §15"),
    ("scrapeInterval: 15s", "scrapeInterval: §15 sec"),
    ("above: 1%, for: 5m", "above: 1%, for: §5"),
    ("above: 1%, for: 5m", "above: 1%, for: §5min"),
    ("above: 1%, for: 5m", "above: §1, for: 5m"),
    ("above: 5%, for: 5m", "above: §5/min, for: 5m"),
    ("above: 10%, for: 5m", "above: §110%, for: 5m"),
    ("above: 10%, for: 5m", "above: §0.1, for: 5m"),
    ("p95: 500ms", "p95: §500"),
    ("p99: 2s", "p99: §2%"),
    ("above: 0.5/min", "above: §0.5"),
    ("above: 0.5/min", "above: §50%"),
    ("above: 70%", "above: §0.7"),
    ("above: 100", "above: §100%"),
    ("minimumTraffic: 50", "minimumTraffic: §-1"),
    ("minimumTraffic: 50", "minimumTraffic: §1.5"),
    ("minimumTraffic: 50", 'minimumTraffic: §"50"'),
    ("required: true", 'required: §"true"'),
    ("tick: 10s", "tick: §10"),
    ("tick: 10s", "tick: §0s"),
    ("adoptedAfter: 12h", "adoptedAfter: §12 h"),
    ("rollbacks: 2", "rollbacks: §0"),
    ("rollbacks: 2", "rollbacks: §two"),
    ("{units: 3,", "{units: §3.5,"),
    ('from: "22:00"', 'from: §"25:00"'),
    ('to: "06:00"', "to: §six"),
    # bad PromQL
    ('bad: http_requests_total{status=~"5.."}', 'bad: §http_requests_total{status=~"5.."'),
    ("bad: http_requests_total", "bad: §rate(http_requests_total[5m])"),
    ("total: http_requests_total", "total: §http requests total"),
    ("total: http_requests_total", "total: §http_requests_total[5m]"),
    ("buckets: http", "buckets: §1http"),
    (
        "counter: kube_pod_container_status_restarts_total",
        "counter: §kube_pod_container_status_restarts_total offset 5m",
    ),
    ("counter: kube_pod_container_status_restarts_total", 'counter: §""'),
    ("gauge: container_memory_working_set_bytes", "gauge: §container_memory_working_set_bytes +"),
    ("limit: container_spec_memory_limit_bytes", "limit: §5"),
    ("gauge: max by (namespace, pod) (queue_length)", "gauge: §max by (namespace, pod) (queue_length"),
    ('match: cluster="eu"', "match: §cluster=eu"),
    ('match: cluster="eu"', """match: §'}) or vector(1) or ({a="b"'"""),
    # words that kubectl reads otherwise
    ("cluster: eu", "cluster: §no"),
    ("cluster: eu", "cluster: §0644"),
    ("labels: {team: shop}", "labels: {team: §on}"),
    ("          team: search", "          team: §yes"),
    ("required: true", "required: §yes"),
    ("X-Scope-OrgID: shop", "X-Scope-OrgID: §1_000"),
    ('from: "22:00"', "from: §22:00"),
    ("      team: shop\n", "      team: §off\n"),
    # words and names that do not exist
    ("apiVersion: rollguard.dev/v1alpha1", "apiVersion: §rollguard.dev/v1"),
    ("kind: GuardPolicy", "kind: §guardpolicy"),
    ("mode: approve", "mode: §auto"),
    ("      mode: automatic", "      mode: §automatically"),
    ("timeZone: Europe/Berlin", "timeZone: §Berlin"),
    ("onTimeout: hold", "onTimeout: §rollback"),
    ("gitops: hold", "gitops: §freeze"),
    ("helm: hold", "helm: §wait"),
    ("secrets: none", "secrets: §all"),
    ("kind: ratio", "kind: §ratios"),
    ("per: pod", "per: §container"),
    ("rule: crashLoop", "rule: §crashloop"),
    ("signals: [errors, latency]", "signals: [errors, §latencies]"),
    ("days: [mon, tue]", "days: [mon, §tuesday]"),
    ("interlock: proven", "interlock: §prove"),
    ("  mode: approve\n", "  mode: approve\n  preset: §generics\n"),
    # names, addresses, files
    ("name: rich", "name: §Rich"),
    ("namespace: batch", "namespace: §batch.jobs"),
    ("[cart, checkout]", "[cart, §Check_out]"),
    ("team: search\n", "team: §a/b\n"),
    ("      workload: app", "      workload: §app-name"),
    ("address: https://prometheus.example.com:9090", "address: §prometheus.example.com:9090"),
    ("address: https://prometheus", "address: §https://me:pw@prometheus"),
    ("address: https://prometheus", "address: §http://prometheus"),
    ("url: https://log.example.com/hook", "url: §ftp://log.example.com/hook"),
    ("passwordFile: /etc", "passwordFile: §etc"),
    ("X-Scope-OrgID: shop", "§Authorization: shop"),
    ("pattern: prisma-migrate-*", "pattern: §Prisma-*"),
    # values of another shape
    ("workloads: [cart, checkout]", "workloads: §cart"),
    ("workloads: [cart, checkout]", "workloads: §[]"),
    ("calledBy: [front]", "calledBy: §front"),
    ("labels: {team: shop}", "labels: §[team]"),
    ("    fleet: {units: 3, within: 10m}", "    fleet: §3"),
    ("        rollback: {above: 10%, for: 5m}", "        rollback: §10%"),
    # what does not go together
    (
        "    - name: shop\n      namespace: production\n      workloads: [cart, checkout]\n",
        "    - §name: shop\n      namespace: production\n",
    ),
    (
        "    - name: shop\n      namespace: production\n",
        "    - §name: shop\n      namespace: production\n      selector: {matchLabels: {a: b}}\n",
    ),
    ("[cart, checkout]", "[cart, §cart]"),
    ("name: search", "name: §shop"),
    (
        "namespace: batch\n      workloads:\n        - importer",
        "namespace: production\n      workloads:\n        - §cart",
    ),
    (
        "namespace: batch\n      workloads:\n        - importer",
        "namespace: production\n      selector:\n        matchLabels: §{team: search, tier: back}",
    ),
    ("1%, for: 5m}\n        critical: {above: 5%", "6%, for: 5m}\n        critical: {above: §5%"),
    ("{p99: 2s,", "{p99: §400ms,"),
    ("p95: 5s, for: 10m", "p95: §100ms, for: 10m"),
    ("above: 5%, for: 5m", "above: 5%, for: §10s"),
    ("{p95: 5s, for: 10m", "§{above: 5s, for: 10m"),
    ("above: 70%, for: 10m", "§p95: 70s, for: 10m"),
    ("      kind: gauge\n      gauge: max", "      kind: gauge\n      §total: up\n      gauge: max"),
    ("      per: pod\n", "      §minimumTraffic: 5\n"),
    ("      gauge: container_memory", "      per: §pod\n      gauge: container_memory"),
    ("      rule: crashLoop", "      scope: §shared\n      rule: crashLoop"),
    ("      rule: crashLoop\n", "      rule: crashLoop\n      §levels: {warning: {above: 1, for: 5m}}\n"),
    ("slot: 30s", "slot: §20s"),
    ("    close: 1h", "    close: §10m"),
    ("startup: 2m\n    stabilization: 10m", "startup: 11m\n    stabilization: §10m"),
    ("      within: 5m\n", "      within: §30s\n"),
    ("      username: guard\n", "      §username: guard\n      bearerTokenFile: /t\n"),
    ("      - name: notes", "      - name: §chat"),
    ('to: "06:00"', 'to: §"22:00"'),
    # what only pages and stores use
    ("      about: all", "      §abot: all"),
    ("    - who: On call\n      reach: PagerDuty\n", "    - §who: On call\n"),
    ("reach: PagerDuty", 'reach: §""'),
    ("realTime: 15d", "realTime: §15"),
    ("realTime: 15d", "realTime: §1d"),
    ("aggregated: 90d", "aggregated: §9d"),
    ("longTerm: 365d", "longTerm: §60d"),
    ("podLabel: app", "podLabel: §app/"),
    ("name: shop_prod", "name: §shop; rm"),
    ("pod: postgres-pod", "pod: §$(id)"),
    ("caches: [redis-service]", "caches: [§redis_service]"),
    ("url: https://sentry.example.com/shop", "url: §sentry"),
    ("probes: [https://shop.example.com/health]", "probes: [§shop.example.com]"),
    ("smoke: npm run test:smoke", "smoke: §[npm]"),
    # release sets
    ("        selectorKey: version", "        §selector: version\n        selectorKey: version"),
    ("      releaseSet:\n        selectorKey: version\n", "      §releaseSet:\n"),
    ("            signals: [queue, crashes]", "            §signal: [queue, crashes]"),
    ("          - name: workers\n            workloads:", "          - §workloads:"),
    ("selectorKey: version", "selectorKey: §ver/si/on"),
    ("selectorKey: version", "selectorKey: §-version"),
    ("colours: [blue, green]", "colours: §[blue]"),
    ("colours: [blue, green]", "colours: §[blue, green, red]"),
    ("colours: [blue, green]", "colours: §[blue, blue]"),
    ("colours: [blue, green]", "colours: §blue"),
    ("              blue: workers-blue", "              §bleu: workers-blue\n              blue: workers-blue"),
    ("            workloads:\n              blue: workers-blue\n", "            §workloads:\n"),
    ("green: workers-green", "green: §Workers-green"),
    ("green: workers-green", "green: §workers-blue"),
    ("green: workers-green", "green: §backend-blue"),
    ("green: workers-green", "green: §cart"),
    ("service: backend-service", "service: §backend.service"),
    ("service: frontend-service", "service: §backend-service"),
    ("{name: frontend, service", "{name: §backend, workloads: {blue: b, green: g}, service"),
    ("signals: [queue, crashes]", "signals: [queue, §crash]"),
    ("signals: [queue, crashes]", "signals: §[]"),
    (
        "        members:\n",
        "        members:\n          §- {name: a}\n"
        + "          - {name: b}\n          - {name: c}\n          - {name: d}\n",
    ),
    ("- name: platform\n", "- §name: platform\n      workloads: [other]\n"),
    ("name: platform", "name: §shop"),
    ("joinWindow: 3m", "joinWindow: §3"),
    ("joinWindow: 3m", "joinWindow: §21m"),
    ("drain: 45s", "drain: §0s"),
    ("  drain: 45s", "  §drains: 45s"),
    # YAML itself
    ("  cluster: eu", "  cluster: §&here eu"),
    ("  cluster: eu", "  cluster: §!word eu"),
    ("calledBy: [front]", "calledBy: [§? front]"),
)
