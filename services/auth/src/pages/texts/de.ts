import type { Texts } from './en.ts'

/** The German texts of all pages. */
export const de: Texts = {
  language: 'de',
  errorTitle: (title) => `Fehler: ${title}`,
  email: 'E-Mail-Adresse',
  password: 'Passwort',
  currentPassword: 'Aktuelles Passwort',
  newPassword: 'Neues Passwort',
  code: 'Code',
  newPasswordHint: ({ minLength }) =>
    `Mindestens ${minLength} Zeichen. Gut sind vier Wörter ohne Zusammenhang.`,
  login: {
    title: 'Anmelden',
    toApp: (app) => `weiter zu ${app}`,
    submit: 'Anmelden',
    forgot: 'Passwort vergessen?',
    register: 'Konto anlegen',
  },
  register: {
    title: 'Konto anlegen',
    text: 'Wir senden einen Code an Ihre E-Mail-Adresse.',
    submit: 'Code senden',
    submitOpen: 'Konto anlegen',
    login: 'Ich habe schon ein Konto',
  },
  confirmRegistration: {
    title: 'E-Mail-Adresse bestätigen',
    sent: (email) =>
      `Wir haben eine E-Mail an ${email} gesendet. Geben Sie den Code daraus ein, und wählen Sie ein Passwort.`,
    text: 'Geben Sie den Code aus der E-Mail ein, und wählen Sie ein Passwort.',
    submit: 'Konto anlegen',
    again: 'Neuen Code anfordern',
    done: 'Ihr Konto ist bereit',
    doneText: 'Sie können sich jetzt anmelden.',
  },
  forgot: {
    title: 'Passwort vergessen?',
    text: 'Wir senden einen Code an Ihre E-Mail-Adresse. Damit können Sie ein neues Passwort setzen.',
    submit: 'Code senden',
    login: 'Zurück zur Anmeldung',
  },
  reset: {
    title: 'Neues Passwort setzen',
    sent: (email) =>
      `Wenn ${email} ein Konto hat, haben wir dorthin eine E-Mail gesendet. Geben Sie den Code daraus ein, und wählen Sie ein neues Passwort.`,
    text: 'Geben Sie den Code aus der E-Mail ein, und wählen Sie ein neues Passwort.',
    submit: 'Passwort setzen',
    again: 'Neuen Code anfordern',
    done: 'Ihr neues Passwort ist gesetzt',
    doneText: 'Sie wurden überall abgemeldet. Melden Sie sich mit dem neuen Passwort an.',
  },
  confirmEmail: {
    title: 'E-Mail-Adresse ändern',
    sent: (email) =>
      `Wir haben eine E-Mail an ${email} gesendet. Öffnen Sie den Link darin, oder geben Sie den Code daraus hier ein.`,
    text: 'Ab jetzt melden Sie sich mit der Adresse an, an die die E-Mail gesendet wurde.',
    submit: 'Diese Adresse verwenden',
    done: 'Ihre E-Mail-Adresse ist geändert',
    doneText: 'Melden Sie sich ab jetzt mit der neuen Adresse an.',
  },
  restoreEmail: {
    title: 'E-Mail-Adresse wiederherstellen',
    text: 'Jemand hat die Adresse Ihres Kontos geändert. Damit stellen Sie Ihre Adresse wieder her, werden überall abgemeldet, und das Passwort wird ungültig. Für ein neues senden wir Ihnen eine E-Mail.',
    submit: 'Meine Adresse wiederherstellen',
    done: 'Ihre E-Mail-Adresse ist wiederhergestellt',
    doneText:
      'Alle Sitzungen sind beendet. Wir haben Ihnen eine E-Mail gesendet, mit der Sie ein neues Passwort setzen.',
  },
  logIn: 'Anmelden',
  logout: {
    title: 'Abmelden',
    text: (email) =>
      `Sie sind als ${email} angemeldet. Sie werden in diesem Browser von allen Anwendungen abgemeldet.`,
    submit: 'Abmelden',
  },
  signedOut: {
    title: 'Sie sind abgemeldet',
    text: 'Sie wurden in diesem Browser von allen Anwendungen abgemeldet.',
    everywhere: 'Sie wurden von allen Anwendungen und in allen Browsern abgemeldet.',
    login: 'Wieder anmelden',
  },
  account: {
    title: 'Ihr Konto',
    verified: 'bestätigt',
    unverified: 'nicht bestätigt',
    none: 'nicht angegeben',
    sessions: 'Wo Sie angemeldet sind',
    thisBrowser: 'Dieser Browser',
    created: 'Angemeldet:',
    lastUsed: 'Zuletzt verwendet:',
    end: 'Beenden',
    endAll: 'Überall abmelden',
    events: 'Letzte Ereignisse',
    older: 'Ältere Ereignisse',
    device: (browser, system) => `${browser} auf ${system}`,
    unknownDevice: 'Unbekanntes Gerät',
    refused: (action) => `Fehlgeschlagen: ${action}`,
    byAdmin: (action) => `${action} (durch die Administration)`,
    actions: {
      changeEmail: 'E-Mail-Adresse geändert',
      changePassword: 'Passwort geändert',
      changeProfile: 'Name oder Sprache geändert',
      changeUser: 'Konto geändert',
      confirmRegistration: 'Konto angelegt',
      createUser: 'Konto angelegt',
      deleteMe: 'Konto gelöscht',
      endAllSessions: 'Überall abgemeldet',
      endSession: 'Sitzung beendet',
      endUserSessions: 'Überall abgemeldet',
      exportMyData: 'Daten exportiert',
      getUser: 'Konto angesehen',
      login: 'Anmeldung',
      logout: 'Abmeldung',
      refresh: 'Verlängerung der Sitzung',
      register: 'Konto angelegt',
      requestEmailChange: 'Änderung der E-Mail-Adresse angefordert',
      requestPasswordReset: 'Neues Passwort angefordert',
      resetPassword: 'Neues Passwort mit einem Code gesetzt',
      revoke: 'Abmeldung von einer Anwendung',
      sendPasswordReset: 'Code für ein neues Passwort gesendet',
      token: 'Anmeldung bei einer Anwendung',
      undoEmailChange: 'E-Mail-Adresse wiederhergestellt',
    },
  },
  backToAccount: 'Zurück zu Ihrem Konto',
  profile: {
    title: 'Name und Sprache ändern',
    text: 'Anwendungen können Ihren Namen anzeigen und Ihre Sprache verwenden. Beides darf leer sein.',
    displayName: 'Name',
    locale: 'Sprache',
    localeHint: 'Ein Sprachkürzel, zum Beispiel de-AT oder en.',
    submit: 'Speichern',
  },
  changePassword: {
    title: 'Passwort ändern',
    text: 'Sie werden von allen Anwendungen und in allen anderen Browsern abgemeldet.',
    submit: 'Passwort ändern',
    done: 'Ihr Passwort ist geändert',
    doneText: 'Sie wurden von allen Anwendungen und in allen anderen Browsern abgemeldet.',
  },
  changeEmail: {
    title: 'E-Mail-Adresse ändern',
    text: 'Wir senden einen Code an die neue Adresse. Um Ihre jetzige Adresse zu bestätigen, geben Sie diese ein.',
    newEmail: 'Neue E-Mail-Adresse',
    submit: 'Code senden',
  },
  deleteAccount: {
    title: 'Konto löschen',
    text: 'Das löscht Ihre E-Mail-Adresse, Ihr Passwort, Ihren Namen und Ihre Sprache und meldet Sie von allen Anwendungen und in allen Browsern ab. Es kann nicht rückgängig gemacht werden. Was Anwendungen über Sie gespeichert haben, wird nicht gelöscht. Das Protokoll dieses Dienstes behält, was geschehen ist, ohne Ihren Browser und Ihr Netz.',
    submit: 'Konto löschen',
    done: 'Ihr Konto ist gelöscht',
    doneText: 'Sie wurden von allen Anwendungen und in allen Browsern abgemeldet.',
  },
  error: {
    title: 'Das hat nicht funktioniert',
    code: 'Code',
    requestId: 'Anfrage-ID',
  },
  invalidFields: {
    email: () => 'Geben Sie Ihre E-Mail-Adresse ein, zum Beispiel ada@example.com.',
    password: ({ minLength }) => `Verwenden Sie ein Passwort mit ${minLength} bis 256 Zeichen.`,
    code: () => 'Geben Sie die acht Ziffern des Codes ein.',
    current_password: () => 'Geben Sie Ihr aktuelles Passwort ein.',
    display_name: () => 'Verwenden Sie einen Namen mit bis zu 100 Zeichen, ohne Steuerzeichen.',
    locale: () => 'Geben Sie ein Sprachkürzel ein, zum Beispiel de-AT oder en.',
  },
  problems: {
    busy: () =>
      'Gerade melden sich zu viele Personen an. Bitte versuchen Sie es in einigen Sekunden erneut.',
    client_unknown: () =>
      'Die Anwendung, von der Sie kommen, ist nicht registriert oder deaktiviert. Bitte informieren Sie ihren Betreiber.',
    code_invalid: () =>
      'Der Code ist falsch, abgelaufen oder wurde schon verwendet. Prüfen Sie ihn, oder fordern Sie einen neuen an.',
    commit_unconfirmed: () =>
      'Die Änderung wurde vielleicht nicht gespeichert. Bitte versuchen Sie es gleich noch einmal.',
    cross_site_request: () =>
      'Das Formular wurde von einer anderen Website gesendet, oder Ihr Browser verbirgt seine Herkunft. Öffnen Sie die Seite erneut, und wiederholen Sie die Eingabe.',
    database_unavailable: () =>
      'Der Dienst ist vorübergehend nicht verfügbar. Bitte versuchen Sie es gleich noch einmal.',
    email_taken: () =>
      'Diese E-Mail-Adresse hat bereits ein Konto. Melden Sie sich an, oder setzen Sie das Passwort zurück.',
    internal_error: () =>
      'Bei uns ist ein Fehler aufgetreten. Bitte versuchen Sie es erneut; tritt er wieder auf, nennen Sie uns die Anfrage-ID unten.',
    invalid_credentials: () => 'Die E-Mail-Adresse oder das Passwort ist falsch.',
    last_admin: () =>
      'Nur Sie haben Administrationsrechte. Geben Sie diese erst einem anderen Konto, bevor Sie Ihres löschen.',
    login_expired: () =>
      'Diese Anmeldung ist abgelaufen. Gehen Sie zurück zur Anwendung, und melden Sie sich erneut an.',
    mail_not_configured: () =>
      'Dieser Dienst versendet keine E-Mails. Bitte wenden Sie sich an die Administration.',
    password_breached: () =>
      'Dieses Passwort ist aus einem Datenleck bekannt. Verwenden Sie ein anderes, und ändern Sie es überall sonst.',
    password_changed: () =>
      'Ihr Passwort wurde inzwischen an anderer Stelle geändert. Melden Sie sich mit dem neuen an.',
    password_common: () =>
      'Dieses Passwort ist leicht zu erraten. Verwenden Sie ein längeres, etwa aus vier Wörtern ohne Zusammenhang.',
    password_contains_email: () =>
      'Verwenden Sie ein Passwort, das Ihre E-Mail-Adresse nicht enthält.',
    password_contains_product: ({ product }) =>
      `Verwenden Sie ein Passwort, das nicht „${product}“ enthält.`,
    password_too_short: ({ minLength }) =>
      `Verwenden Sie ein Passwort mit mindestens ${minLength} Zeichen.`,
    rate_limited: ({ wait }) => `Zu viele Anfragen. Bitte versuchen Sie es in ${wait} erneut.`,
    redirect_uri_unregistered: () =>
      'Die Anwendung, von der Sie kommen, möchte Sie an eine Adresse zurückschicken, die sie nicht registriert hat. Bitte informieren Sie ihren Betreiber.',
    registration_closed: () =>
      'Neue Konten können hier nicht angelegt werden. Bitte wenden Sie sich an die Administration.',
    root_key_missing: () =>
      'Anmeldeseiten sind hier nicht eingerichtet: Die Schlüsseldatei hat keinen Root-Schlüssel. Bitte informieren Sie den Betreiber.',
    token_revoked: () => 'Ihre Sitzung ist beendet. Melden Sie sich erneut an.',
    too_many_failures: ({ wait }) =>
      `Zu viele falsche Eingaben. Versuchen Sie es in ${wait} erneut.`,
    wrong_password: () => 'Das aktuelle Passwort ist falsch.',
  },
  badRequest:
    'Die Seite wurde mit unvollständigen oder falschen Angaben aufgerufen. Gehen Sie zurück, und versuchen Sie es erneut.',
  unavailable: 'Der Dienst kann gerade nicht antworten. Bitte versuchen Sie es gleich noch einmal.',
}
