{{- /* Name of the release's things: its own, with the chart's unless that is in it. A StatefulSet's may have 52. */}}
{{- define "cfdi.fullname" -}}
{{- $name := .Values.fullnameOverride | default (contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name)) }}
{{- if gt (len $name) 52 }}{{ fail (printf "the name %q has over 52 characters: set fullnameOverride" $name) }}{{ end }}
{{- $name }}
{{- end }}

{{- /* Labels of everything: those of the release, then `more`; the chart's own count before both. */}}
{{- define "cfdi.labels" -}}
{{- $own := dict
  "app.kubernetes.io/name" .root.Chart.Name
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/part-of" (include "cfdi.fullname" .root)
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
}}
{{- toYaml (merge $own (.more | default dict) .root.Values.commonLabels) }}
{{- end }}

{{- define "cfdi.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /*
The exporters, as a JSON list: `name`, `values` (the chart's, with those of the instance) and `config`, the text of the
ConfigMap. Everything that is wrong with them is told here, with its place and remedy.
*/}}
{{- define "cfdi.exporters" -}}
{{- $exporters := list }}
{{- $instances := .Values.instances | default list }}
{{- $several := gt (len $instances) 0 }}
{{- $seen := dict }}
{{- if $several }}
  {{- if .Values.demo }}{{ fail "demo: the demonstration is one exporter: remove instances" }}{{ end }}
  {{- range $key := list "existingConfigMap" "existingConfigSecret" }}
    {{- if get $.Values $key }}{{ fail (printf "%s: would give every instance the same accounts: set it for each of instances" $key) }}{{ end }}
  {{- end }}
  {{- if or .Values.config.accounts .Values.config.account_files }}
    {{- fail "config.accounts: would be polled by every instance, which doubles the logins: move them into instances[].config.accounts" }}
  {{- end }}
  {{- if .Values.persistence.existingClaim }}{{ fail "persistence.existingClaim: one state is one exporter's: set it for each of instances" }}{{ end }}
{{- else }}
  {{- $instances = list dict }}
{{- end }}
{{- range $number, $instance := $instances }}
  {{- $place := $several | ternary (printf "instances[%d] (%s): " $number (default "" $instance.name)) "" }}
  {{- $values := mergeOverwrite (deepCopy $.Values) (deepCopy (omit $instance "name")) }}
  {{- $name := include "cfdi.fullname" $ }}
  {{- if $several }}
    {{- $name = printf "%s-%s" $name $instance.name }}
    {{- if gt (len $name) 52 }}{{ fail (printf "%sthe name %q has over 52 characters" $place $name) }}{{ end }}
  {{- end }}
  {{- include "cfdi.once" (dict "seen" $seen "key" (printf "name %s" $name) "error" (printf "%sname: is there twice" $place)) }}
  {{- with $values.persistence.existingClaim }}
    {{- include "cfdi.once" (dict "seen" $seen "key" (printf "claim %s" .) "error" (printf "%spersistence.existingClaim: another instance has %s: one state is one exporter's" $place .)) }}
  {{- end }}
  {{- include "cfdi.checked" (dict "place" $place "values" $values) }}
  {{- $config := dict }}
  {{- if and (not $values.demo) (not $values.existingConfigMap) (not $values.existingConfigSecret) }}
    {{- $config = include "cfdi.config" (dict "place" $place "values" $values "seen" $seen "namespace" $.Release.Namespace) | fromJson }}
  {{- end }}
  {{- $exporters = append $exporters (dict "name" $name "values" $values "config" $config) }}
{{- end }}
{{- toJson $exporters }}
{{- end }}

{{- /* Fails where a key was seen before. */}}
{{- define "cfdi.once" -}}
{{- if hasKey .seen .key }}{{ fail .error }}{{ end }}
{{- $_ := set .seen .key true }}
{{- end }}

{{- /* What the schema can't say of an exporter's values. */}}
{{- define "cfdi.checked" -}}
{{- $values := .values }}
{{- $place := .place }}
{{- $sources := list }}
{{- if or $values.config.accounts $values.config.account_files }}{{ $sources = append $sources "config.accounts" }}{{ end }}
{{- range $key := list "existingConfigMap" "existingConfigSecret" }}{{ if get $values $key }}{{ $sources = append $sources $key }}{{ end }}{{ end }}
{{- if $values.demo }}{{ if $sources }}{{ fail (printf "%sdemo: has accounts of its own: remove %s" $place (join ", " $sources)) }}{{ end }}
{{- else if not $sources }}
  {{- fail (printf "%snothing to poll: set config.accounts, existingConfigMap or existingConfigSecret; to look around first, demo=true" $place) }}
{{- else if gt (len $sources) 1 }}
  {{- fail (printf "%saccounts come from one place: keep one of %s" $place (join ", " $sources)) }}
{{- end }}
{{- range $values.extraArgs }}
  {{- if regexMatch "^--(config\\.(file|auto-reload|check)|storage\\.path|web\\.(config\\.file|listen-address))(=|$)" . }}
    {{- fail (printf "%sextraArgs: %s: the chart sets this flag itself" $place .) }}
  {{- end }}
{{- end }}
{{- range $values.extraVolumeMounts }}
  {{- if hasPrefix "/var/lib/cfdi-stamps-exporter" (clean .mountPath) }}
    {{- fail (printf "%sextraVolumeMounts: %s: the state's folder is one volume as a whole; mount this elsewhere" $place .mountPath) }}
  {{- end }}
{{- end }}
{{- if and $values.webConfig.tls (not $values.webConfig.existingSecret) }}
  {{- fail (printf "%swebConfig.tls: needs webConfig.existingSecret, a Secret with web.yaml" $place) }}
{{- end }}
{{- end }}

{{- /* The configuration, as JSON: checked, and with the place of each password. */}}
{{- define "cfdi.config" -}}
{{- $place := .place }}
{{- $values := .values }}
{{- $seen := .seen }}
{{- $config := deepCopy $values.config }}
{{- $global := $config.global | default dict }}
{{- $environments := $config.environments | default dict }}
{{- range $name, $environment := $environments }}
  {{- range $key := list "wsdl" "proxy_url" }}
    {{- if contains "@" (dig $key "" ($environment | default dict)) }}
      {{- fail (printf "%sconfig.environments.%s.%s: a password in it could be read in the ConfigMap: put the configuration into a Secret and name it in existingConfigSecret" $place $name $key) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- $accounts := list }}
{{- range $number, $account := $config.accounts }}
  {{- $where := printf "%sconfig.accounts[%d] (%s)" $place $number $account.name }}
  {{- if hasKey $account "password" }}
    {{- fail (printf "%s.password: could be read in the ConfigMap and in the release: put it into the Secret that existingSecret names, under the key %s" $where $account.name) }}
  {{- end }}
  {{- if not (or $account.password_file $account.password_env) }}
    {{- if not (regexMatch "^[-._a-zA-Z0-9]+$" $account.name) }}
      {{- fail (printf "%s: this name can't be a Secret's key: set password_file: /run/secrets/accounts/KEY" $where) }}
    {{- end }}
    {{- $account = set $account "password_file" (printf "/run/secrets/accounts/%s" $account.name) }}
  {{- end }}
  {{- if and (hasPrefix "/run/secrets/accounts/" (default "" $account.password_file)) (not $values.existingSecret) }}
    {{- fail (printf "%s: its password is to be in a Secret: kubectl create secret generic NAME --namespace %s --from-file=%s=PASSWORD_FILE, then existingSecret: NAME" $where $.namespace (base $account.password_file)) }}
  {{- end }}
  {{- with $account.password_env }}
    {{- $variables := dict }}
    {{- range $values.extraEnv }}{{ $_ := set $variables .name . }}{{ end }}
    {{- if hasKey (get $variables . | default dict) "value" }}
      {{- fail (printf "%s.password_env: its value in extraEnv could be read in the pod and in the release: use valueFrom.secretKeyRef" $where) }}
    {{- else if not (hasKey $variables .) }}
      {{- fail (printf "%s.password_env: no such variable in extraEnv: add it there with valueFrom.secretKeyRef" $where) }}
    {{- end }}
  {{- end }}
  {{- $environment := $account.environment | default $global.environment | default "production" }}
  {{- $built_in := get (dict "production" "https://solucionfactible.com/" "testing" "https://testing.solucionfactible.com/") $environment }}
  {{- $host := (urlParse (dig $environment "wsdl" $built_in $environments)).host | lower | trimSuffix ":443" }}
  {{- include "cfdi.once" (dict "seen" $seen "key" (printf "login %s %s" $host ($account.username | trim | lower)) "error" (printf "%s.username: %s is polled already: an account is in one exporter, once, as each would log in" $where $account.username)) }}
  {{- include "cfdi.once" (dict "seen" $seen "key" (printf "account %s" $account.name) "error" (printf "%s.name: is there twice" $where)) }}
  {{- $accounts = append $accounts $account }}
{{- end }}
{{- $_ := set $config "accounts" $accounts }}
{{- toJson $config }}
{{- end }}

{{- /* Labels that select one exporter's pod. */}}
{{- define "cfdi.selector" -}}
app.kubernetes.io/name: cfdi-stamps-exporter
app.kubernetes.io/instance: {{ .name }}
{{- end }}
