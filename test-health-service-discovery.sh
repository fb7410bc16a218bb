#!/usr/bin/env bash
# Demonstrates and verifies the promise of Amazon ECS with AWS Cloud Map: a container's health check decides which addresses
# a name resolves to. Creates a service discovery namespace and service, deploys an ECS service with health checks through the
# ECS API, verifies that its tasks are registered with the correct status, makes one of them unhealthy, shows the DNS answers
# before and after, and recovers it.
set -euo pipefail

usage() {
  cat <<'END'
Usage: test-health-service-discovery.sh [--kubernetes] [--api aws|curl] [--tasks N]

  --kubernetes    tasks are pods in the cluster of the current kubectl context, in a separate namespace that is deleted at
                  the end; without it, tasks are local processes
  --api aws|curl  client for the ECS and Cloud Map APIs: by default the aws CLI if installed, else curl
  --tasks N       number of tasks (3)

Requires Node.js and, in a clone, npm ci; uses dig if installed. The script starts healthdns on free loopback ports and stops
it at the end. Exit codes: 0 verified; 1 failed; 2 invalid command line.
END
}

mode=local api='' tasks=3
while [ $# -gt 0 ]; do
  case $1 in
    --kubernetes) mode=kubernetes ;;
    --api) api=${2:-} && shift || true ;;
    --tasks) tasks=${2:-} && shift || true ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done
[[ $tasks =~ ^[2-8]$ ]] || { echo '--tasks: expected a number from 2 to 8 (Cloud Map returns at most 8)' >&2; exit 2; }
[ -n "$api" ] || api=$(command -v aws >/dev/null && echo aws || echo curl)
[[ $api =~ ^(aws|curl)$ ]] || { echo '--api: expected aws or curl' >&2; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
namespace=demo.local service=web name=web.demo.local
work=$(mktemp -d)
cluster_namespace=healthdns-demo-$$
pids=()

say() { printf '\n== %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*" >&2; [ ! -s "$work/healthdns.log" ] || tail -5 "$work/healthdns.log" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

clean_up() {
  local code=$?
  trap - EXIT INT TERM
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done || true
  if [ $mode = kubernetes ] && [ -e "$work/namespace-made" ]; then
    kubectl delete namespace "$cluster_namespace" --wait=false >/dev/null || true
  fi
  rm -rf "$work"
  exit $code
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need node 'https://nodejs.org'
[ $api = curl ] && need curl 'apt-get install curl, or the aws CLI'
[ $api = aws ] && need aws 'pip install awscli, or --api curl'
[ $mode = kubernetes ] && need kubectl 'https://kubernetes.io/docs/tasks/tools/'
[ -e "$here/dist/cli.js" ] || { say 'building healthdns'; (cd "$here" && npm run --silent build); }
healthdns() { node "$here/bin/healthdns" "$@"; }

# ---------------------------------------------------------------------------------------------------- the ECS service

# The health check tests for a file, so that health can be changed by hand. A container that is restarted in place does not make it
# again: the task would be healthy before a slow client has seen that it was not.
cat >"$work/task.json" <<'END'
{
  "family": "web",
  "containerDefinitions": [
    {
      "name": "web",
      "image": "public.ecr.aws/docker/library/busybox:stable",
      "essential": true,
      "command": ["sh", "-c", "[ -e started ] || touch started healthy; trap exit TERM; while :; do sleep 1; done"],
      "portMappings": [{ "containerPort": 8080 }],
      "healthCheck": { "command": ["CMD-SHELL", "test -e healthy"], "interval": 5, "timeout": 2, "retries": 2 }
    }
  ]
}
END

# ------------------------------------------------------------------------------------------- differences between the modes

# The settings that ECS requires of a service for its tasks.
custom_health=',"HealthCheckCustomConfig":{"FailureThreshold":1}'
if [ $mode = local ]; then
  configuration() {
    cat <<END
cloudMap: { writes: loopback, store: { path: $work/cloudmap } }
ecs: { engine: processes, directory: $work/ecs, drainSeconds: 0 }
zones: []
END
  }
  in_task() { (cd "$work/ecs/tasks/$1/web" && shift && "$@"); }
else
  configuration() {
    cat <<END
cloudMap:
  writes: loopback
  store: { kubernetes: { context: "$context", namespace: $cluster_namespace } }
  tasks: { context: "$context", namespaces: [$cluster_namespace] }
ecs: { engine: kubernetes, drainSeconds: 0 }
zones: []
END
  }
  in_task() { local pod=$1; shift; kubectl -n "$cluster_namespace" exec "$pod" -- "$@"; }
fi

# -------------------------------------------------------------------------------------------------------------- tools

# json FILE PATH: the value at PATH; strings are printed without quotes, anything else as JSON.
json() {
  node -e '
    const parsed = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    const value = new Function("it", `return it${process.argv[2]}`)(parsed);
    console.log(typeof value === "string" ? value : JSON.stringify(value));' "$1" "$2"
}

# call OPERATION INPUT: calls the Cloud Map API and prints the output as JSON; ecs OPERATION INPUT: the ECS API.
call() { request servicediscovery Route53AutoNaming_v20170314 "$@"; }
ecs() { request ecs AmazonEC2ContainerServiceV20141113 "$@"; }

request() {
  if [ $api = curl ]; then
    curl --silent --show-error --fail-with-body --noproxy '*' "$http/" -H 'content-type: application/x-amz-json-1.1' \
      -H "x-amz-target: $2.$3" -d "$4" || fail "$3"
  else
    # The CLI sends DiscoverInstances to the host "data-127.0.0.1"; with a proxy that name need not be resolved.
    local command
    command=$(sed -E 's/([a-z])([A-Z])/\1-\2/g' <<<"$3" | tr '[:upper:]' '[:lower:]')
    HTTP_PROXY=$http http_proxy=$http NO_PROXY='' no_proxy='' AWS_EC2_METADATA_DISABLED=true AWS_PAGER='' \
      AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_DEFAULT_REGION=us-east-1 \
      aws "$1" "$command" --endpoint-url http://127.0.0.1 --output json --cli-input-json "$4" || fail "$3"
  fi
}

# called OPERATION INPUT PATH: calls the API and prints the value at PATH.
called() { call "$1" "$2" >"$work/output.json" && json "$work/output.json" "$3"; }

# deploy REGISTRY_ARN. The grace period keeps ECS from replacing the unhealthy task, so that its recovery is seen.
deploy() {
  ecs RegisterTaskDefinition "$(cat "$work/task.json")" >/dev/null
  ecs CreateService "{\"serviceName\":\"$service\",\"taskDefinition\":\"web\",\"desiredCount\":$tasks,\"serviceRegistries\":[{\"registryArn\":\"$1\"}],\"healthCheckGracePeriodSeconds\":3600}" >/dev/null
}

# Prints "ID HEALTH" of each task.
task_health() {
  ecs ListTasks "{\"serviceName\":\"$service\"}" >"$work/tasks.json"
  ecs DescribeTasks "{\"tasks\":$(json "$work/tasks.json" .taskArns)}" >"$work/tasks.json"
  json "$work/tasks.json" '.tasks.map((one) => `${one.taskArn.split("/").at(-1)} ${one.healthStatus}`).sort().join("\n")'
}

addresses() {
  if command -v dig >/dev/null; then
    dig @127.0.0.1 -p "$port" "$name" A +short
  else
    healthdns query "$name" A "@127.0.0.1:$port" --short || true
  fi | sort
}

statuses() {
  called GetInstancesHealthStatus "{\"ServiceId\":\"$service_id\"}" '.Status' |
    node -pe 'Object.entries(JSON.parse(require("fs").readFileSync(0))).map((one) => one.join(" ")).sort().join("\n")'
}

# Prints "ID ADDRESS" of each instance that DiscoverInstances returns for a health status.
discovered() {
  called DiscoverInstances "{\"NamespaceName\":\"$namespace\",\"ServiceName\":\"$service\",\"HealthStatus\":\"$1\"}" \
    '.Instances.map((one) => `${one.InstanceId} ${one.Attributes.AWS_INSTANCE_IPV4}`).sort().join("\n")'
}

lines() { grep -c . <<<"$1" || true; }

# eventually WHAT COMMAND…: repeats until it succeeds, for at most two minutes.
eventually() {
  local what=$1 end=$((SECONDS + 120))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { show >&2; fail "waited two minutes: $what"; }
    sleep 0.3
  done
}

# Shows the current state: DNS first, because the aws CLI is slow.
seen_statuses='' seen_addresses=''

show() {
  echo "Cloud Map, GetInstancesHealthStatus:"
  sed 's/^/  /' <<<"$seen_statuses"
  echo "DNS, $name:"
  sed 's/^/  /' <<<"$seen_addresses"
}

all_healthy() {
  seen_addresses=$(addresses)
  [ "$(lines "$seen_addresses")" = "$tasks" ] || return 1
  seen_statuses=$(statuses)
  [ "$(grep -c ' HEALTHY$' <<<"$seen_statuses")" = "$tasks" ]
}

victim_is_out() {
  seen_addresses=$(addresses)
  if grep -qx "$victim_address" <<<"$seen_addresses"; then return 1; fi
  seen_statuses=$(statuses)
  grep -qx "$victim UNHEALTHY" <<<"$seen_statuses"
}

# ----------------------------------------------------------------------------------------------------------- the test

say "starting healthdns (tasks: $mode, Cloud Map through $api)"
if [ $mode = kubernetes ]; then
  context=$(kubectl config current-context)
  echo "cluster: $context"
  kubectl create namespace "$cluster_namespace"
  touch "$work/namespace-made"
fi
configuration >"$work/zones.yaml"
# Not through the function: $! would be a subshell, which the server would outlive.
node "$here/bin/healthdns" serve "$work/zones.yaml" --listen 127.0.0.1:0 --http 127.0.0.1:0 >"$work/healthdns.out" 2>"$work/healthdns.log" &
pids+=($!)
listens() { grep -q 'HTTP  http' "$work/healthdns.out" || kill -0 ${pids[0]} 2>/dev/null || fail 'healthdns ended'; grep -q 'HTTP  http' "$work/healthdns.out"; }
end=$((SECONDS + 30))
until listens; do [ $SECONDS -lt $end ] || fail 'healthdns does not start'; sleep 0.1; done
port=$(sed -nE 's/.*DNS +127\.0\.0\.1:([0-9]+).*/\1/p' "$work/healthdns.out" | head -1)
http=$(sed -nE 's/.*HTTP +(http:[^ ]+).*/\1/p' "$work/healthdns.out" | head -1)
http=${http%/}
ready() { node -e 'fetch(process.argv[1]).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))' "$http/ready"; }
end=$((SECONDS + 60))
until ready; do [ $SECONDS -lt $end ] || fail 'healthdns is not ready'; sleep 0.3; done
echo "DNS 127.0.0.1:$port, Cloud Map $http"

say "service discovery: namespace $namespace, service $service"
operation=$(called CreatePrivateDnsNamespace "{\"Name\":\"$namespace\",\"Vpc\":\"vpc-demo\"}" .OperationId)
made() {
  call GetOperation "{\"OperationId\":\"$operation\"}" >"$work/operation.json"
  [ "$(json "$work/operation.json" .Operation.Status)" = SUCCESS ]
}
end=$((SECONDS + 60))
until made; do [ $SECONDS -lt $end ] || fail 'the namespace is not created'; sleep 0.3; done
namespace_id=$(json "$work/operation.json" .Operation.Targets.NAMESPACE)
called CreateService "{\"Name\":\"$service\",\"NamespaceId\":\"$namespace_id\",\"DnsConfig\":{\"RoutingPolicy\":\"MULTIVALUE\",\"DnsRecords\":[{\"Type\":\"A\",\"TTL\":5}]}$custom_health}" .Service >"$work/service.json"
service_id=$(json "$work/service.json" .Id)
echo "$namespace_id, $service_id"

say "ECS service with $tasks tasks"
deploy "$(json "$work/service.json" .Arn)"
eventually "$tasks healthy tasks" all_healthy
show
healthy=$(discovered HEALTHY)
[ "$(lines "$healthy")" = "$tasks" ] || fail 'DiscoverInstances does not find every task'

read -r victim victim_address <<<"$healthy"
before=$seen_addresses

say "$victim ($victim_address) becomes unhealthy"
in_task "$victim" rm healthy
eventually "$victim is out" victim_is_out
echo 'ECS, DescribeTasks:'
task_health | tee "$work/health" | sed 's/^/  /'
# In a cluster the liveness probe may have restarted it in the meantime.
grep -qx "$victim UNHEALTHY" "$work/health" || [ $mode = kubernetes ] || fail "ECS does not call $victim unhealthy"
healthdns explain "$name" --http "$http" >"$work/explained"
show
[ "$(grep -vx "$victim_address" <<<"$before")" = "$seen_addresses" ] || fail 'other addresses changed too'
found=$(discovered HEALTHY)
if grep -q "^$victim " <<<"$found" && [ $mode = local ]; then fail "DiscoverInstances still finds $victim"; fi
echo "healthdns explain $name:"
sed 's/^/  /' "$work/explained"

say "$victim recovers"
# In a cluster its liveness probe restarts the container, which also recovers it.
in_task "$victim" touch healthy || [ $mode = kubernetes ]
eventually "$victim is back" all_healthy
show
[ "$seen_addresses" = "$before" ] || fail 'the answer differs from the original one'

say 'verified: the health check decided what the name resolves to'
paste <(echo 'before    ' && echo "$before") <(echo 'unhealthy ' && sed "s/^$victim_address\$/-         /" <<<"$before") \
  <(echo recovered && echo "$seen_addresses") | sed 's/^/  /'
