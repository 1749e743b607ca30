"""What language a code names, and how text of it is cut into words for scoring."""

from __future__ import annotations

import re

# Codes of three letters (ISO 639-3, and the older ones of ISO 639-2) of languages that scoring knows by two.
_CODES = """
    ar=ara,arb bg=bul ca=cat cs=ces,cze da=dan nl=nld,dut en=eng fi=fin fr=fra,fre de=deu,ger gu=guj
    he=heb,iw hi=hin hu=hun id=ind ms=msa,may,zsm it=ita nb=nob,nno,nor,no,nn pl=pol pt=por ro=ron,rum
    ru=rus sk=slk,slo es=spa sv=swe tr=tur uk=ukr vi=vie fa=fas,per,pes el=ell,gre
    zh=zho,chi,cmn,yue,wuu,lzh ja=jpn ko=kor th=tha lo=lao km=khm my=mya,bur bo=bod,tib dz=dzo
"""
_SHORT = {
    code: language
    for language, _, codes in (entry.partition("=") for entry in _CODES.split())
    for code in codes.split(",")
}
# sacreBLEU's own choice for Chinese, Japanese and Korean; the others write no space between words, and have no
# tokenizer there, so each character counts.
_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
_TOKENIZERS |= dict.fromkeys(("th", "lo", "km", "my", "bo", "dz"), "char")
USUAL_TOKENIZER = "13a"


def language_of(code: str) -> str:
    """The language of a tag or of a file's ending, by two letters where there are such.

    A tag (BCP 47) begins with its language: zh-CN, zh_Hant and zho_Hans are zh. An ending ends with it: tok.de is de.
    """
    first = re.split("[-_]", code.rpartition(".")[2])[0].lower()
    return _SHORT.get(first, first)


def tokenizer_for(language: str) -> str:
    """sacreBLEU's tokenizer for a language: 13a where words have spaces between them."""
    return _TOKENIZERS.get(language, USUAL_TOKENIZER)
