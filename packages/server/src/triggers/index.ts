export { startTriggerLoop } from '#triggers/trigger-loop';
export {
  deleteSchedule,
  pauseSchedule,
  registerSchedule,
  resumeSchedule,
  schedulesOf,
  updateSchedule,
} from '#triggers/schedules';
export { customPollBody } from '#triggers/custom-poll-definition';
export {
  customPollsOf,
  getCustomPoll,
  putCustomPoll,
  removeCustomPoll,
  tryCustomPoll,
} from '#triggers/custom-polls';
