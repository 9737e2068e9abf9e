// Why the winner of a task has lost its output, where the scheduler finds it out by itself. The words are stored with
// the winner and shown to people; whatever must tell one reason from another compares with these.
export const whyLost = {
  unheard: "its worker has not been heard of",
  startedAgain: "its worker was started again",
  drained: "its worker was drained",
  wentOn: "its code went on after its call had returned",
} as const;
