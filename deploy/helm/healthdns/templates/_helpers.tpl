{{- define "healthdns.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "healthdns.selectorLabels" -}}
k8s-app: {{ include "healthdns.fullname" . }}
{{- end -}}

{{- define "healthdns.isDaemonSet" -}}
{{- if or (eq .Values.kind "DaemonSet") (eq .Values.shape "node-local") -}}true{{- end -}}
{{- end -}}

{{- /* The Service's name. Monitoring and kubelets know the cluster's DNS Service by this one, whatever serves it. */ -}}
{{- define "healthdns.serviceName" -}}
{{- if .Values.service.name -}}
{{- .Values.service.name -}}
{{- else if eq .Values.shape "replace" -}}
kube-dns
{{- else -}}
{{- include "healthdns.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "healthdns.httpPort" -}}
{{- if eq .Values.shape "node-local" -}}9253{{- else -}}8053{{- end -}}
{{- end -}}

{{- define "healthdns.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
app.kubernetes.io/name: healthdns
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{- define "healthdns.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "healthdns.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- /* Values that would be silently ignored, or grant rights that nothing uses. values.schema.json sees each value alone. */ -}}
{{- define "healthdns.refuse" -}}
{{- range list "autoscaling" "proportional" -}}
{{- if and (include "healthdns.isDaemonSet" $) (index $.Values .).enabled -}}
{{- fail (printf "%s.enabled: a DaemonSet has one pod on each node" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled .Values.proportional.enabled -}}
{{- fail "autoscaling.enabled and proportional.enabled: only one of them can set the replicas" -}}
{{- end -}}
{{- if eq .Values.shape "node-local" -}}
{{- if .Values.serviceMonitor.enabled -}}
{{- fail "serviceMonitor.enabled: shape node-local has no Service; use podMonitor.enabled" -}}
{{- end -}}
{{- if .Values.zones -}}
{{- fail "zones: shape node-local has the zones of its replicas; name them in nodeLocal.zones" -}}
{{- end -}}
{{- range $key, $_ := .Values.config -}}
{{- if not (has $key (list "logLevel" "hold" "server" "limits" "cache" "hosts" "templates" "dns64" "rebindingFilter" "loopDetection" "loadbalance" "acl" "rewrite" "nsid" "queryLog")) -}}
{{- fail (printf "config.%s: the agent of shape node-local does not have this key" $key) -}}
{{- end -}}
{{- end -}}
{{- range list "cloudMap" "ecs" "drain" "events" -}}
{{- if (index $.Values .).writeAccess -}}
{{- fail (printf "%s.writeAccess: shape node-local does not talk to the API server" .) -}}
{{- end -}}
{{- end -}}
{{- else if hasKey .Values.config "hold" -}}
{{- fail "config.hold: only the agent of shape node-local has this key" -}}
{{- end -}}
{{- end -}}

{{- /*
The memory limit of a pod in MiB (docs/install.md, "Memory"): a multiple of 32. A further data thread has tables and a cache of its own.
*/ -}}
{{- define "healthdns.memoryMiB" -}}
{{- if eq .Values.shape "node-local" -}}
128
{{- else -}}
{{- with .Values.sizing -}}
{{- $names := add .services .namespaces -}}
{{- $kib := add (mul 144 1024) (mul 2 .pods) (mul 5 $names) (mul 160 .unreadConnections) -}}
{{- $perThread := add (mul 36 1024) (div .pods 2) $names -}}
{{- $kib = add $kib (mul $perThread (sub (int $.Values.threads | max 1) 1)) -}}
{{- mul 32 (div (add $kib 32767) 32768) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "healthdns.resources" -}}
{{- $resources := deepCopy (.Values.resources | default dict) -}}
{{- $memory := dict "memory" (printf "%sMi" (include "healthdns.memoryMiB" .)) -}}
{{- toYaml (set $resources "limits" (mergeOverwrite $memory ($resources.limits | default dict))) -}}
{{- end -}}

{{- /* zones.yaml: the settings of the chart, merged with the user's. */ -}}
{{- define "healthdns.zonesYaml" -}}
{{- $cluster := dict "name" .Values.clusterDomain "kubernetes" .Values.kubernetes -}}
{{- $fixed := dict "listen" (list "0.0.0.0:53" "[::]:53") "http" "0.0.0.0:8053" "zones" (prepend .Values.zones $cluster) -}}
{{- if .Values.forward -}}
{{- $_ := set $fixed "forward" (list (dict "to" .Values.forward)) -}}
{{- end -}}
{{- /* Dashboards and alerts of the server that it replaces go on working. */ -}}
{{- $metrics := ternary "coredns" "healthdns" (eq .Values.shape "replace") -}}
{{- toYaml (merge $fixed .Values.config (dict "admin" "127.0.0.1:8054" "metrics" $metrics)) -}}
{{- end -}}

{{- /* node.yaml: the same for the agent of a node. */ -}}
{{- define "healthdns.nodeYaml" -}}
{{- $listen := list -}}
{{- range .Values.nodeLocal.addresses -}}
{{- $listen = append $listen (ternary (printf "[%s]:53" .) (printf "%s:53" .) (contains ":" .)) -}}
{{- end -}}
{{- $upstream := required "shape: node-local needs nodeLocal.upstream, the address of the healthdns in the cluster" .Values.nodeLocal.upstream -}}
{{- $push := printf (ternary "[%s]:%d" "%s:%d" (contains ":" $upstream)) $upstream (int .Values.nodeLocal.pushPort) -}}
{{- $replicas := dict "push" (list $push) "dns" (list $upstream) -}}
{{- if .Values.nodeLocal.caSecret -}}
{{- $_ := set $replicas "ca" "/etc/healthdns-authority/ca.crt" -}}
{{- end -}}
{{- if .Values.nodeLocal.serverName -}}
{{- $_ := set $replicas "serverName" .Values.nodeLocal.serverName -}}
{{- end -}}
{{- $zones := .Values.nodeLocal.zones | default (list .Values.clusterDomain "in-addr.arpa" "ip6.arpa") -}}
{{- $fixed := dict "listen" $listen "http" (list "0.0.0.0:9253" "127.0.0.1:9254") "zones" $zones "replicas" $replicas -}}
{{- if .Values.forward -}}
{{- $_ := set $fixed "forward" (list (dict "to" .Values.forward)) -}}
{{- end -}}
{{- toYaml (merge $fixed .Values.config) -}}
{{- end -}}
