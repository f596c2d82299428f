/** A client of CTIEX: hand customers over to automatic services, and serve them, with the data beside the call. */

export * from './agent.js';
export * from './codec.js';
export * from './codes.js';
export * from './errors.js';
export * from './service.js';
export { HandOff } from './hand-off.js';
export { Session } from './session.js';
export { openTcp } from './transport.js';
export { openWebSocket } from './websocket.js';
