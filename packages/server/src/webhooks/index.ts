export { startAlerts } from '#webhooks/alert-loop';
export {
  alertRule,
  alertRules,
  changeAlertRule,
  makeAlertRule,
  removeAlertRule,
  type AlertRule,
} from '#webhooks/alert-rules';
export { deliveriesOf, deliveryOf, sendAgain, tryRule } from '#webhooks/deliveries';
export { alertRuleBody } from '#webhooks/rule-input';
export { shownUrl } from '#webhooks/target';
