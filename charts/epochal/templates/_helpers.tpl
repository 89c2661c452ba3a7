{{- define "epochal.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "epochal.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "epochal.labels" -}}
{{ include "epochal.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "epochal.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "epochal.serverSecret" -}}
{{ .Values.server.existingSecret | default (printf "%s-server" (include "epochal.name" .)) }}
{{- end }}

{{/* What every pod runs under: the user of the image, nothing to gain, nothing to write but volumes. */}}
{{- define "epochal.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "epochal.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "epochal.temporalEnv" -}}
- { name: TEMPORAL_ADDRESS, value: {{ .Values.temporal.address | quote }} }
- { name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }} }
- { name: EPOCHAL_POOL, value: {{ .Values.agents.pool | quote }} }
{{- end }}

{{/* Names of Secrets to one folder of files: the image makes variables of them, which no description of the pod shows. */}}
{{- define "epochal.secretsVolume" -}}
- name: secrets
  projected:
    # The pod's group reads them.
    defaultMode: 0440
    sources:
      {{- range . }}
      {{- if . }}
      - secret: { name: {{ . | quote }} }
      {{- end }}
      {{- end }}
{{- end }}
