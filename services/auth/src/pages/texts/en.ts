/** What sentences about a problem may contain. */
export interface Facts {
  /** The fewest characters of a new password. */
  minLength: number
  product: string
  /** A time such as "30 seconds". */
  wait: string
}

/** The English texts of all pages. Other languages have the same type, so that none lacks a text. */
export const en = {
  /** For `lang` (BCP 47). */
  language: 'en',
  errorTitle: (title: string) => `Error: ${title}`,
  email: 'E-mail address',
  password: 'Password',
  currentPassword: 'Current password',
  newPassword: 'New password',
  code: 'Code',
  newPasswordHint: ({ minLength }: Pick<Facts, 'minLength'>) =>
    `At least ${minLength} characters. Four unrelated words make a good one.`,
  login: {
    title: 'Log in',
    toApp: (app: string) => `to continue to ${app}`,
    submit: 'Log in',
    forgot: 'Forgot your password?',
    register: 'Create an account',
  },
  register: {
    title: 'Create an account',
    text: 'We will send a code to your e-mail address.',
    submit: 'Send code',
    submitOpen: 'Create account',
    login: 'I already have an account',
  },
  confirmRegistration: {
    title: 'Confirm your e-mail address',
    sent: (email: string) =>
      `We sent a mail to ${email}. Enter the code from it, and choose a password.`,
    text: 'Enter the code from the mail, and choose a password.',
    submit: 'Create account',
    again: 'Request another code',
    done: 'Your account is ready',
    doneText: 'You can log in now.',
  },
  forgot: {
    title: 'Forgot your password?',
    text: 'We will send a code to your e-mail address. With it, you can set a new password.',
    submit: 'Send code',
    login: 'Back to the login',
  },
  reset: {
    title: 'Set a new password',
    sent: (email: string) =>
      `If ${email} has an account, we sent it a mail. Enter the code from it, and choose a new password.`,
    text: 'Enter the code from the mail, and choose a new password.',
    submit: 'Set password',
    again: 'Request another code',
    done: 'Your new password is set',
    doneText: 'You were logged out everywhere. Log in with the new password.',
  },
  confirmEmail: {
    title: 'Change your e-mail address',
    sent: (email: string) =>
      `We sent a mail to ${email}. Open the link in it, or enter the code from it here.`,
    text: 'From now on, you log in with the address that the mail was sent to.',
    submit: 'Use this address',
    done: 'Your e-mail address is changed',
    doneText: 'Log in with your new address from now on.',
  },
  restoreEmail: {
    title: 'Restore your e-mail address',
    text: 'Somebody changed the address of your account. This restores your address, logs you out everywhere, and removes the password. We will send you a mail to set a new one.',
    submit: 'Restore my address',
    done: 'Your e-mail address is restored',
    doneText: 'All sessions have ended. We sent you a mail to set a new password.',
  },
  logIn: 'Log in',
  logout: {
    title: 'Log out',
    text: (email: string) =>
      `You are logged in as ${email}. You will be logged out of all apps in this browser.`,
    submit: 'Log out',
  },
  signedOut: {
    title: 'You are logged out',
    text: 'You have been logged out of all apps in this browser.',
    everywhere: 'You have been logged out of all apps and in all browsers.',
    login: 'Log in again',
  },
  account: {
    title: 'Your account',
    verified: 'verified',
    unverified: 'not verified',
    none: 'not set',
    sessions: 'Where you are logged in',
    thisBrowser: 'This browser',
    created: 'Logged in:',
    lastUsed: 'Last used:',
    end: 'End',
    endAll: 'Log out everywhere',
    events: 'Recent events',
    older: 'Older events',
    device: (browser: string, system: string) => `${browser} on ${system}`,
    unknownDevice: 'Unknown device',
    refused: (action: string) => `Failed: ${action}`,
    byAdmin: (action: string) => `${action} (by an administrator)`,
    /** By the name of an event in the audit log. */
    actions: {
      changeEmail: 'E-mail address changed',
      changePassword: 'Password changed',
      changeProfile: 'Name or language changed',
      changeUser: 'Account changed',
      confirmRegistration: 'Account created',
      createUser: 'Account created',
      deleteMe: 'Account deleted',
      endAllSessions: 'Logged out everywhere',
      endSession: 'Session ended',
      endUserSessions: 'Logged out everywhere',
      exportMyData: 'Data exported',
      getUser: 'Account viewed',
      login: 'Login',
      logout: 'Logout',
      refresh: 'Session renewal',
      register: 'Account created',
      requestEmailChange: 'Change of the e-mail address requested',
      requestPasswordReset: 'New password requested',
      resetPassword: 'New password set with a code',
      revoke: 'Logout from an app',
      sendPasswordReset: 'Code for a new password sent',
      token: 'Login to an app',
      undoEmailChange: 'E-mail address restored',
    },
  },
  backToAccount: 'Back to your account',
  profile: {
    title: 'Change name and language',
    text: 'Apps may show your name and use your language. Both may be empty.',
    displayName: 'Name',
    locale: 'Language',
    localeHint: 'A language tag, such as en-GB or de.',
    submit: 'Save',
  },
  changePassword: {
    title: 'Change password',
    text: 'You will be logged out of all apps and in all other browsers.',
    submit: 'Change password',
    done: 'Your password is changed',
    doneText: 'You were logged out of all apps and in all other browsers.',
  },
  changeEmail: {
    title: 'Change e-mail address',
    text: 'We will send a code to the new address. Enter your current address to verify it.',
    newEmail: 'New e-mail address',
    submit: 'Send code',
  },
  deleteAccount: {
    title: 'Delete account',
    text: 'This deletes your e-mail address, your password, your name and your language, and logs you out of all apps and in all browsers. It cannot be undone. What apps have stored about you is not deleted. The log of this service keeps what happened, without your browser and your network.',
    submit: 'Delete account',
    done: 'Your account is deleted',
    doneText: 'You have been logged out of all apps and in all browsers.',
  },
  error: {
    title: 'This did not work',
    code: 'Code',
    requestId: 'Request ID',
  },
  /** What is wrong with a field that a form requires in another form. */
  invalidFields: {
    email: () => 'Enter your e-mail address, such as ada@example.com.',
    password: ({ minLength }: Facts) => `Use a password of ${minLength} to 256 characters.`,
    code: () => 'Enter the eight digits of the code.',
    current_password: () => 'Enter your current password.',
    display_name: () => 'Use a name of up to 100 characters, without control characters.',
    locale: () => 'Enter a language tag, such as en-GB or de.',
  },
  /** By the stable code of a problem: what happened, and what to do. */
  problems: {
    busy: () => 'Too many people are logging in right now. Please try again in a few seconds.',
    client_unknown: () =>
      'The app that sent you here is not registered, or it is disabled. Please tell its operator.',
    code_invalid: () =>
      'The code is wrong, was used before, or has expired. Check it, or request a new one.',
    commit_unconfirmed: () => 'The change may not have been saved. Please try again in a moment.',
    cross_site_request: () =>
      'The form was sent from another site, or your browser hides where it came from. Open the page again and repeat your input.',
    database_unavailable: () =>
      'The service is temporarily unavailable. Please try again in a moment.',
    email_taken: () => 'This e-mail address already has an account. Log in, or reset its password.',
    internal_error: () =>
      'An error occurred on our side. Please try again; if it happens again, report the request ID below.',
    invalid_credentials: () => 'The e-mail address or the password is wrong.',
    last_admin: () =>
      'You are the only administrator. Give another user the admin role before you delete your account.',
    login_expired: () => 'This login has expired. Go back to the app and log in again.',
    mail_not_configured: () => 'This service does not send mail. Please ask an administrator.',
    password_breached: () =>
      'This password is known from a data breach. Use another one, and change it everywhere else.',
    password_changed: () =>
      'Your password was changed elsewhere in the meantime. Log in with the new one.',
    password_common: () =>
      'This password is easy to guess. Use a longer one, such as four unrelated words.',
    password_contains_email: () => 'Use a password that does not contain your e-mail address.',
    password_contains_product: ({ product }: Facts) =>
      `Use a password that does not contain “${product}”.`,
    password_too_short: ({ minLength }: Facts) =>
      `Use a password of at least ${minLength} characters.`,
    rate_limited: ({ wait }: Facts) => `Too many requests. Please try again in ${wait}.`,
    redirect_uri_unregistered: () =>
      'The app that sent you here wants you back at an address that it has not registered. Please tell its operator.',
    registration_closed: () =>
      'New accounts cannot be created here. Please ask an administrator for one.',
    root_key_missing: () =>
      'Login pages are not set up here: the key file has no root key. Please tell the operator.',
    token_revoked: () => 'Your session has ended. Log in again.',
    too_many_failures: ({ wait }: Facts) => `Too many wrong attempts. Try again in ${wait}.`,
    wrong_password: () => 'The current password is wrong.',
  },
  /** Of all other problems. */
  badRequest: 'The page was opened with incomplete or wrong data. Go back and try again.',
  unavailable: 'The service cannot answer right now. Please try again in a moment.',
}

/** All texts of the pages in one language. */
export type Texts = typeof en
