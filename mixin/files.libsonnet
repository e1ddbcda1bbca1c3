// Written by `make manifests`.
{
  rules: [
    importstr '../alerts/alerting.rules.yml',
    importstr '../alerts/recording.rules.yml',
  ],
  dashboards: {
    'cfdi-account.json': import '../dashboards/cfdi-account.json',
    'cfdi-exporter.json': import '../dashboards/cfdi-exporter.json',
    'cfdi-overview.json': import '../dashboards/cfdi-overview.json',
  },
}
