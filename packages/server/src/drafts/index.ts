export {
  forgetPayload,
  keepPayload,
  payloadsOf,
  pinOutput,
  pinsOf,
  runDraft,
  runDraftNode,
  type TrialInput,
  unpinOutput,
} from '#drafts/drafts';
