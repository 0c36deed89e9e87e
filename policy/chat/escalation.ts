/**
 * What an assistant does not settle: a person does. A customer who speaks of one of these gets a case, and nothing else
 * is done for them in that turn.
 */
export const escalations = {
  fraud: 'Fraud',
  billingDispute: 'Billing dispute',
  regulatorComplaint: 'Complaint to a regulator',
  identityRecovery: 'Recovery of an identity',
  bereavement: 'Bereavement',
  person: 'Wants a person',
} as const;
export type Escalation = keyof typeof escalations;

export function isEscalation(name: string): name is Escalation {
  return Object.hasOwn(escalations, name);
}

const money = '(?:money|payment|charge|bill|receipt|fee|amount|card)';

// In order: who died matters more than which bill they had, and a stolen number more than a wish for a person.
const signs: readonly (readonly [Escalation, RegExp])[] = [
  [
    'bereavement',
    /\b(?:passed away|(?<!\b(?:phone|battery|handset|device|connection|signal|line|it|sim|call|data|internet|router) )died|deceased|bereave\w*|funeral|probate|(?:my|our) late (?:mother|father|wife|husband|partner|son|daughter|brother|sister|mum|mom|dad|parents?)|death (?:of|certificate)|executor of)\b/,
  ],
  [
    'fraud',
    /\b(?:fraud\w*|scam\w*|phish\w*|sim[ -]?swap\w*|stole(?:n)?|identity theft|hacked|hijack\w*|unauthori[sz]ed|impersonat\w*|did(?:n'?t| not) (?:make|authori[sz]e|order|buy) (?:this|that|it|these))\b|\bsomeone (?:else )?(?:is using|used|took over|bought)\b/,
  ],
  [
    'identityRecovery',
    /\b(?:locked out|(?:can'?t|cannot|can not|unable to) (?:log|sign) ?in|lost (?:access|my (?:phone|sim|esim|account|email|e-mail|number))|(?:recover|regain|restore|get back) (?:access to )?(?:my|the) (?:account|number|identity|access|profile)|no longer have (?:access|that (?:email|e-mail|phone))|forgot\w* my (?:password|pin|email|login))\b/,
  ],
  [
    'regulatorComplaint',
    /\b(?:regulator\w*|ombudsman|imda|ofcom|fcc|acma|consumer (?:protection|association|authority|council)|small claims|legal action|lawyer|solicitor|attorney|sue (?:you|your)|data protection (?:authority|commissioner|officer)|pdpc|gdpr (?:complaint|request))\b/,
  ],
  [
    'billingDispute',
    new RegExp(
      `\\b(?:dispute\\w*|charge ?back\\w*|over ?charged|double[ -]charged|charged (?:me )?(?:twice|two times|again|wrongly|by mistake|too much)|wrong(?:ly)? (?:charge\\w*|bill\\w*|amount)|refund\\w*|(?:want|give|get) (?:me )?my money back|(?:don'?t|do not|didn'?t|did not) (?:recogni[sz]e|agree (?:with|to)) (?:this|that|the|a|my|your)? ?${money})\\b`,
    ),
  ],
  [
    'person',
    /\b(?:(?:speak|talk|chat|connect|transfer|put me through)\b.{0,30}\b(?:person|human|agent|someone|somebody|representative|operator|manager|supervisor|staff)|(?:real|actual|live) (?:person|human|agent)|human (?:being|agent|please)|customer (?:service|care) (?:agent|representative)|i (?:want|need) (?:a|an|some) (?:person|human|agent|manager|supervisor)|(?:a )?(?:person|human),? please|call me back)\b/,
  ],
];

/** What the text of a customer asks a person for; undefined when an assistant may answer it. */
export function escalationIn(text: string): Escalation | undefined {
  const plain = text
    .normalize('NFKC')
    .replace(/[\p{Cf}]/gu, '')
    .replace(/[‘’]/g, "'")
    .toLowerCase()
    .replace(/\s+/g, ' ');
  return signs.find(([, sign]) => sign.test(plain))?.[0];
}
