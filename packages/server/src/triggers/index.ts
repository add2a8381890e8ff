export { startTriggerLoop, type TriggerLoop } from '#triggers/trigger-loop';
export {
  deleteSchedule,
  pauseSchedule,
  registerSchedule,
  resumeSchedule,
  schedulesOf,
  updateSchedule,
  type ScheduleCaller,
} from '#triggers/schedules';
