import { makeStatement } from './bill/on-demand.ts';
import { addCard, preferCard, removeCard } from './card/commands.ts';
import { moveOffering } from './catalogue/commands.ts';
import { beginTurn, escalateTurn, finishTurn, startChat } from './chat/commands.ts';
import { freezeClock, thawClock } from './clock/commands.ts';
import type { AnyDefinition } from './core/command.ts';
import { registerCustomer, verifyIdentity } from './customer/commands.ts';
import { changeContact } from './customer/contact.ts';
import { importCustomers } from './customer/import.ts';
import { retryFlow } from './flow/commands.ts';
import { createAccessToken, revokeAccessToken, rotateAccessToken } from './identity/access-token.ts';
import { loadEsims, loadNumbers } from './inventory/commands.ts';
import { importNumbers } from './inventory/import.ts';
import { holdNumber } from './inventory/wanted.ts';
import { registerHub, unregisterHub } from './notification/hub.ts';
import { replayNotifications } from './notification/replay.ts';
import { cancelOrderCommand } from './order/cancel.ts';
import { changePlan, placeOrder, topUp } from './order/commands.ts';
import { endLine, withdrawLineEnd } from './order/end.ts';
import { receiveGatewayEvent } from './payment/gateway-event.ts';
import { refundPayment } from './payment/refund.ts';
import { activationCommandsFor, resourceCommandsFor } from './resources.ts';
import { enterDesk, makeDeskLink } from './session/desk.ts';
import { forgetSessions } from './session/forget.ts';
import { giveSecondCode, requestSecondCode } from './session/second-code.ts';
import { beginSession, endSession, touchSession } from './session/session.ts';
import { enterByCode, enterByLink, requestSignIn } from './session/sign-in.ts';
import {
  chooseCard,
  confirmSignUp,
  confirmSignUpOrder,
  recordSignUpOrder,
  requestSignUpCode,
  startSignUp,
} from './sign-up/commands.ts';
import { setAlert } from './subscription/alert.ts';
import { replaceEsim } from './subscription/esim.ts';
import { withdrawPlanChangeCommand } from './subscription/plan-change.ts';
import { portOut } from './subscription/port-out.ts';
import { setRoaming } from './subscription/roaming.ts';
import { moveTicket, noteTicket, openTicketCommand } from './ticket/commands.ts';
import { reportUsage } from './usage/commands.ts';
import { replayUsage } from './usage/quarantine.ts';

const byPeople: readonly AnyDefinition[] = [
  registerCustomer,
  importCustomers,
  verifyIdentity,
  changeContact,
  addCard,
  removeCard,
  preferCard,
  placeOrder,
  topUp,
  changePlan,
  withdrawPlanChangeCommand,
  cancelOrderCommand,
  endLine,
  withdrawLineEnd,
  setRoaming,
  setAlert,
  replaceEsim,
  portOut,
  refundPayment,
  receiveGatewayEvent,
  makeStatement,
  reportUsage,
  replayUsage,
  loadNumbers,
  importNumbers,
  loadEsims,
  moveOffering,
  openTicketCommand,
  noteTicket,
  moveTicket,
  startChat,
  beginTurn,
  finishTurn,
  escalateTurn,
  beginSession,
  touchSession,
  endSession,
  forgetSessions,
  requestSignIn,
  enterByCode,
  enterByLink,
  requestSecondCode,
  giveSecondCode,
  startSignUp,
  holdNumber,
  chooseCard,
  requestSignUpCode,
  confirmSignUp,
  confirmSignUpOrder,
  recordSignUpOrder,
  makeDeskLink,
  enterDesk,
  freezeClock,
  thawClock,
  createAccessToken,
  rotateAccessToken,
  revokeAccessToken,
  registerHub,
  unregisterHub,
  replayNotifications,
  retryFlow,
];

/** Every command of the house: those with a flat input that people type, and those that take a body of the standard. */
export const commands: readonly AnyDefinition[] = [
  ...byPeople,
  ...[...Object.values(resourceCommandsFor), activationCommandsFor.service ?? {}].flatMap((one) =>
    [one.create, one.patch, one.remove].filter((command) => command !== undefined),
  ),
];
