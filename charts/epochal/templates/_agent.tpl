{{/* The pod of an agent, the same for both kinds. */}}
{{- define "epochal.agentPod" -}}
{{- $agents := .Values.agents }}
metadata:
  labels: {{- include "epochal.labels" . | nindent 4 }}
    app.kubernetes.io/component: agent
  {{- with $agents.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "epochal.name" . }}-agent
  automountServiceAccountToken: false
  # Kubernetes' own variables would begin with the release's name, as settings do with EPOCHAL_.
  enableServiceLinks: false
  # SIGTERM has every trainer checkpoint at its batch boundary; what is not done by then is killed.
  terminationGracePeriodSeconds: {{ $agents.terminationGracePeriodSeconds }}
  securityContext: {{- include "epochal.podSecurity" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $agents.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $agents.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $agents.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $agents.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if eq $agents.kind "DaemonSet" }}
  initContainers:
    # A folder of the node is root's until it is given to the agent.
    - name: folders
      image: {{ include "epochal.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [sh, -c, "mkdir -p /host/data /host/cache && chown 10001:10001 /host/data /host/cache"]
      securityContext:
        runAsNonRoot: false
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL], add: [CHOWN, DAC_OVERRIDE] }
      volumeMounts:
        - { name: host, mountPath: /host }
  {{- end }}
  containers:
    - name: agent
      image: {{ include "epochal.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [epochal, worker]
      securityContext: {{- include "epochal.containerSecurity" . | nindent 8 }}
      env:
        {{- include "epochal.temporalEnv" . | nindent 8 }}
        # Without a store that others reach it is on the agent's own volume.
        - { name: EPOCHAL_STORE, value: {{ .Values.store | default (ternary "/store" "/data/store" (ne $agents.storeClaim "")) | quote }} }
        {{- with $agents.spot }}
        - { name: EPOCHAL_SPOT, value: {{ . | quote }} }
        {{- end }}
        {{- if not $agents.gpus }}
        - { name: EPOCHAL_SLOTS, value: {{ $agents.slots | quote }} }
        {{- end }}
        {{- if $agents.dataSetsClaim }}
        - { name: EPOCHAL_DATA_SETS, value: /datasets }
        {{- end }}
        {{- range $name, $value := $agents.env }}
        - { name: {{ $name | quote }}, value: {{ $value | quote }} }
        {{- end }}
      # Whether it can train: its Temporal, folders and store. An agent that cannot is not restarted for it: its trainers go on.
      readinessProbe: { exec: { command: [epochal, doctor] }, periodSeconds: 60, timeoutSeconds: 45, failureThreshold: 3 }
      resources:
        requests: {{- toYaml $agents.resources.requests | nindent 10 }}
        limits: {{- if $agents.gpus }}
          {{ $agents.gpuResource }}: {{ $agents.gpus }}
          {{- with $agents.resources.limits }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
          {{- else }} {{ toJson ($agents.resources.limits | default dict) }}
          {{- end }}
      volumeMounts:
        {{- if eq $agents.kind "DaemonSet" }}
        - { name: host, mountPath: /data, subPath: data }
        - { name: host, mountPath: /cache, subPath: cache }
        {{- else }}
        - { name: data, mountPath: /data }
        - { name: cache, mountPath: /cache }
        {{- end }}
        - { name: tmp, mountPath: /tmp }
        - { name: home, mountPath: /home/epochal }
        - { name: shared-memory, mountPath: /dev/shm }
        - { name: secrets, mountPath: /run/secrets, readOnly: true }
        {{- if $agents.storeClaim }}
        - { name: store, mountPath: /store }
        {{- end }}
        {{- if $agents.dataSetsClaim }}
        - { name: data-sets, mountPath: /datasets, readOnly: true }
        {{- end }}
        {{- if $agents.trainersClaim }}
        - { name: trainers, mountPath: /trainers, readOnly: true }
        {{- end }}
  volumes:
    - { name: tmp, emptyDir: {} }
    - { name: home, emptyDir: {} }
    - { name: shared-memory, emptyDir: { medium: Memory, sizeLimit: {{ $agents.sharedMemory }} } }
    {{- include "epochal.secretsVolume" (list $agents.existingSecret .Values.temporal.existingSecret) | nindent 4 }}
    {{- if eq $agents.kind "DaemonSet" }}
    - { name: host, hostPath: { path: {{ $agents.hostFolder | quote }}, type: DirectoryOrCreate } }
    {{- end }}
    {{- with $agents.storeClaim }}
    - { name: store, persistentVolumeClaim: { claimName: {{ . | quote }} } }
    {{- end }}
    {{- with $agents.dataSetsClaim }}
    - { name: data-sets, persistentVolumeClaim: { claimName: {{ . | quote }}, readOnly: true } }
    {{- end }}
    {{- with $agents.trainersClaim }}
    - { name: trainers, persistentVolumeClaim: { claimName: {{ . | quote }}, readOnly: true } }
    {{- end }}
{{- end }}
