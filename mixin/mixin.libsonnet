// For those who build their monitoring with jsonnet: what alerts/ and dashboards/ hold, with a selector of their own.
// Nothing is said here a second time; with the defaults it is those files.
local files = import 'files.libsonnet';

{
  _config+:: {
    // How our series are told from others, in every expression: a job, or more labels.
    selector: 'job="cfdi-stamps"',
  },

  local double = $._config.selector,
  local single = std.strReplace(double, '"', "'"),  // for expressions within text that has double quotes
  local selected(value) =
    if std.isString(value) then
      std.strReplace(std.strReplace(value, 'job="cfdi-stamps"', double), "job='cfdi-stamps'", single)
    else if std.isArray(value) then [selected(each) for each in value]
    else if std.isObject(value) then { [key]: selected(value[key]) for key in std.objectFields(value) }
    else value,

  local groups = [selected(group) for text in files.rules for group in std.parseYaml(text).groups],
  local alerting(group) = std.any([std.objectHas(rule, 'alert') for rule in group.rules]),

  prometheusAlerts+:: { groups+: [group for group in groups if alerting(group)] },
  prometheusRules+:: { groups+: [group for group in groups if !alerting(group)] },
  grafanaDashboards+:: { [name]: selected(files.dashboards[name]) for name in std.objectFields(files.dashboards) },
}
