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

{{- /* zones.yaml: the settings of the chart, merged with the user's. */ -}}
{{- define "healthdns.zonesYaml" -}}
{{- $cluster := dict "name" .Values.clusterDomain "kubernetes" .Values.kubernetes -}}
{{- $fixed := dict "listen" (list "0.0.0.0:53" "[::]:53") "http" "0.0.0.0:8053" "zones" (prepend .Values.zones $cluster) -}}
{{- if .Values.forward -}}
{{- $_ := set $fixed "forward" (list (dict "to" .Values.forward)) -}}
{{- end -}}
{{- toYaml (merge $fixed .Values.config (dict "admin" "127.0.0.1:8054")) -}}
{{- end -}}
