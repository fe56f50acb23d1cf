"""What the words of event and property names mean: English, Korean and Japanese words as concepts.

A name such as `ta_stage_clear`, `stageClear` or `Stage Cleared`, and an alias such as `스테이지 성공`, become the same
concepts: `stage`, `clear`. Concepts that tell how far something has come have a place in a process (`PHASES`); those
that tell what is done to something are `ACTIONS`; what is left is the thing itself.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gamestats_assets.demo_data.taxonomies.model import Event


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists some, separated by spaces."""
    return frozenset(text.split())


_CONCEPTS = """
start: start begin commence kickoff 시작 개시 착수 출발 開始 スタート
enter: enter entry entrance 진입 입장 入場 突入
open: open 열기 열람 오픈 開く オープン
launch: launch 실행 기동 起動 実行
request: request apply ask 요청 신청 접수 申請 リクエスト 要求 申し込み 申込
attempt: attempt try initiate init initialize initialise 시도 試行
queue: queue matchmaking 대기열 매칭
accept: accept approve approval agree grant 수락 승인 동의 허용 承認 受諾 同意 許可
match_found: matched 배정 배차 割り当て
assign: assign 할당 담당자지정
driver: driver courier rider 기사 라이더
choose: choose chose chosen choosed choice select selection pick 선택 選択
progress: progress step checkpoint 진행 단계 進行 ステップ
answer: answer respond 응답 답변 回答
submit: submit submission 제출 提出
pause: pause 일시정지 일시중지 一時停止
resume: resume unpause continue 재개 이어하기 계속 再開 続き
complete: complete completion finish finalize 완료 마침 마친 완수 수료 完了
success: success succeed successful 성공 成功
clear: clear 클리어 クリア
win: win won victory 승리 勝利
pass: pass passed 통과 합격 合格
achieve: achieve accomplish attain reach 달성 達成
confirm: confirm confirmation 확정 확인 確定 確認
done: done place placed settle solved resolve fulfil fulfill 해결 解決
fail: fail failure lose lost loss defeat error 실패 패배 오류 에러 失敗 敗北 エラー
reject: reject decline deny refuse 거절 반려 거부 拒否 却下
abandon: abandon quit giveup abort forfeit drop dropout 포기 중단 이탈 中断 放棄 離脱
abandon: retire surrender 리타이어 기권 リタイア
timeout: timeout expire expired 만료 시간초과 期限切れ タイムアウト
die: die death dead killed 사망 死亡
skip: skip 스킵 건너뛰기 スキップ
cancel: cancel cancellation 취소 해지 キャンセル 取消 取り消し 解約
end: end stop over terminate terminated termination 종료 끝 終了 終わり
result: result outcome 결과 結果
close: close dismiss 닫기 닫힘 閉じる
exit: exit 퇴장 나가기 나감 退場 退出
claim: claim collect redeem 수령 받기 受取 受け取り

view: view browse detail look see page screen pageview 조회 보기 상세 화면 페이지 閲覧 詳細 画面 ページ
list: list category catalog catalogue collection 목록 리스트 카테고리 一覧 リスト カテゴリ
visit: visit landing 방문 訪問
show: show impression expose exposure shown display 노출 표시 表示
read: read 읽기 읽음 読む
search: search find query explore 검색 탐색 検索
filter: filter sort 필터 정렬 フィルタ 並び替え
click: click tap press touch 클릭 터치 クリック タップ
play: play playback watch listen stream 재생 시청 감상 청취 플레이 再生 視聴 プレイ
create: create make craft generate build compose 생성 만들기 작성 제작 창설 개설 作成 作る 結成
add: add 추가 追加
join: join 가입 加入
attend: attend attendance participate participation 참여 참가 참석 参加
leave: leave 탈퇴 떠나기 脱退
get: get got acquire obtain earn gain 획득 습득 獲得 入手 取得
receive: receive received 받음 수신 受信
use: use used consume 사용 소비 使用 消費
spend: spend spent cost 소모 지출 支出
buy: buy purchase bought iap 구매 구입 購入
pay: pay payment paid billing transaction 결제 납부 충전결제 決済 支払い 支払 課金
order: order 주문 注文
book: book booking reserve reservation 예약 予約
subscribe: subscribe subscription subscriber 구독 購読 サブスク サブスクリプション 定期購読
trial: trial 체험 무료체험 トライアル
renew: renew renewal 갱신 更新
enroll: enroll enrol enrollment enrolment 수강신청 등록신청 受講登録
donate: donate donation tip 기부 후원 寄付
bid: bid 입찰 入札
rent: rent rental lend 대여 렌트 レンタル
install: install 설치 インストール
uninstall: uninstall 삭제앱 アンインストール
register: register registration signup 회원가입 등록 신규가입 가입완료 登録 会員登録 新規登録
login: login signin logon 로그인 접속 ログイン
logout: logout signout logoff 로그아웃 ログアウト
withdrawal: withdrawal 회원탈퇴 退会
levelup: levelup rankup 레벨업 レベルアップ
upgrade: upgrade enhance enhancement evolve evolution awaken starup powerup reinforce 강화 승급 진화 각성 업그레이드
upgrade: 強化 進化 覚醒
downgrade: downgrade 다운그레이드 ダウングレード
equip: equip wear 장착 착용 装備
unequip: unequip takeoff 해제장착 装備解除
follow: follow 팔로우 フォロー
unfollow: unfollow 언팔로우
like: like heart 좋아요 いいね
unlike: unlike
bookmark: bookmark favorite favourite wishlist watchlist wish scrap
bookmark: 찜 즐겨찾기 북마크 위시리스트 お気に入り ブックマーク
unbookmark: unbookmark unfavorite unfavourite unsave
share: share 공유 共有 シェア
invite: invite invitation 초대 招待
send: send sent give 발송 보내기 전송됨 送信 送る
comment: comment reply 댓글 답글 コメント
post: post posting publish listed relist 게시 발행 投稿
write: write written 쓰기 書く
review: review 리뷰 후기 レビュー
rate: rate 평가 평점 評価
upload: upload 업로드 アップロード
download: download 다운로드 ダウンロード
export: export 내보내기 エクスポート
import: import 가져오기 インポート
connect: connect link pair 연동 연결 連携 接続
disconnect: disconnect unlink unpair 연결해제 切断
enable: enable activate activation turnon 활성화 有効化
disable: disable deactivate turnoff 비활성화 無効化
edit: edit modify change update rename 수정 변경 편집 編集 変更
delete: delete deletion remove removal erase erasure delist unlist 삭제 제거 削除
dissolve: dissolve disband 해산 解散
archive: archive 보관
save: save 저장 保存
set: set setup configure 설정 設定
verify: verify verification authenticate kyc identity 인증 본인인증 본인확인 認証 本人確認
permission: permission 권한 権限
deposit: deposit topup 입금 예치 入金 預け入れ
withdraw: withdraw cashout 출금 인출 出金 引き出し
transfer: transfer remit remittance 송금 이체 送金 振込
trade: trade 거래 매매 取引
sell: sell sold 판매 매도 売却 売る
invest: invest investment 투자 投資
repay: repay repaid repayment 상환 返済
disburse: disburse disbursement 지급실행 融資実行
refund: refund 환불 返金 払い戻し
return: return 반품 반납 返品 返却
exchange: exchange 교환 交換
ship: ship shipped shipping dispatched 배송 출고 発送
deliver: deliver delivery delivered 배달완료 배달 配達 配送
track: track tracking 추적 追跡
arrive: arrive arrival 도착 到着
record: record log measure 기록 측정 記録 測定
sync: sync synchronize 동기화 同期
draw: draw gacha summon pull 뽑기 소환 가챠 ガチャ 召喚
recruit: recruit hire 영입 채용 採用
unlock: unlock 해제 해금 解除 解放
chat: chat message talk 채팅 메시지 대화 チャット メッセージ
report: report 신고 報告 通報
block: block ban 차단 ブロック
sweep: sweep mop mopping autoclear 소탕 掃討
gift: gift 선물 ギフト プレゼント
issue: issue issued 발급 발행됨 発行
comparison: compare 비교 比較
crash: crash 충돌 크래시 クラッシュ
revive: revive respawn 부활 復活
retry: retry restart 재시도 재시작 リトライ
board: board boarding embark 탑승 搭乗
pickup: pickup 픽업
checkin: checkin 체크인 출석 チェックイン 出席
checkout: checkout 주문서 체크아웃 チェックアウト レジ
recharge: recharge charge 충전 チャージ

sign: sign
check: check
top: top
place: place
premium: premium 프리미엄 プレミアム
app: app apk 앱 애플리케이션 アプリ
session: session 세션 セッション
foreground: foreground 포그라운드 フォアグラウンド
background: background 백그라운드 バックグラウンド
game: game 게임 ゲーム
client: client 클라이언트
quote: quote quotation estimate 견적 見積
policy: policy 보험증권 증권
device: device 디바이스 기기 端末 デバイス
account: account 계정 アカウント
user: user member membership 유저 사용자 회원 ユーザー 会員
profile: profile 프로필 プロフィール
character: character role avatar 캐릭터 キャラクター キャラ
hero: hero champion 영웅 英雄 ヒーロー
nickname: nickname nick 닉네임 ニックネーム
tutorial: tutorial guide onboarding ftue walkthrough newbie intro 튜토리얼 가이드 온보딩 チュートリアル ガイド
tutorial: オンボーディング
survey: survey questionnaire 설문 설문조사 アンケート
ad: ad ads advert advertisement advertisment advertising commercial 광고 広告
push: push notification noti 푸시 알림 通知 プッシュ
banner: banner popup 배너 팝업 バナー ポップアップ
event: event activity 이벤트 イベント
product: product goods sku merchandise 상품 제품 商品 製品
item: item 아이템 アイテム
shop: shop store mall 상점 쇼핑몰 매장 가게 ショップ 店舗 ストア
cart: cart basket bag 장바구니 카트 カート
coupon: coupon voucher promocode promo 쿠폰 クーポン
address: address 주소 배송지 住所 配送先
method: method 수단 방식 方法
info: info information 정보 情報
stage: stage 스테이지 ステージ
level: level lv 레벨 レベル
battle: battle fight combat 전투 배틀 バトル 戦闘
game_match: match 매치 경기 マッチ 試合
dungeon: dungeon 던전 ダンジョン
quest: quest mission 퀘스트 미션 クエスト ミッション
task: task 작업 과제 タスク
achievement: achievement badge trophy 업적 뱃지 実績
reward: reward prize bonus 보상 보너스 報酬 ボーナス
guild: guild clan alliance crew 길드 클랜 연맹 혈맹 ギルド クラン
party: party squad 파티 パーティ
team: team 팀 チーム
workspace: workspace organization organisation org tenant 워크스페이스 조직 ワークスペース 組織
project: project 프로젝트 プロジェクト
friend: friend buddy 친구 フレンド 友達
pvp: pvp arena ranked colosseum duel 아레나 투기장 랭크전 결투장 アリーナ 対戦
raid: raid worldboss 레이드 월드보스 レイド
war: war siege gvg 전쟁 공성 공성전 길드전 戦争
boss: boss 보스 ボス
tournament: tournament league championship 토너먼트 리그 大会 トーナメント
rank: rank ranking leaderboard 랭킹 순위 リーダーボード ランキング
currency: currency token coin gold gem diamond resource money 골드 다이아 다이아몬드 재화 화폐 자원 코인 通貨 ゴールド
currency: コイン 資源
card: card 카드 カード
video: video movie film 영상 동영상 비디오 動画 映画
content: content webtoon comic novel 콘텐츠 컨텐츠 웹툰 웹소설 소설 만화 작품 コンテンツ
episode: episode series 에피소드 회차 エピソード
music: music song track_song playlist album podcast 음악 노래 곡 音楽 曲
article: article news blog 기사 뉴스 記事 ニュース
feed: feed timeline 피드 タイムライン
course: course class curriculum program 강의 강좌 코스 수업 コース 講座
lesson: lesson lecture 레슨 차시 レッスン 授業
chapter: chapter 챕터 チャプター
quiz: quiz exam test assessment 퀴즈 시험 테스트 クイズ 試験 テスト
assignment: assignment homework 숙제 과제물 宿題 課題
certificate: certificate certification diploma 수료증 자격증 証明書 修了証
workout: workout exercise training 운동 트레이닝 ワークアウト 運動 トレーニング
meal: meal diet 식사 식단 食事
food: food 음식
sleep: sleep 수면 睡眠
goal: goal target_goal 목표 目標
plan: plan pricing tier 요금제 플랜 プラン 料金
paywall: paywall 페이월
hotel: hotel accommodation lodging 호텔 숙소 ホテル 宿
room: room 방 객실 部屋
flight: flight 항공 항공권 航空券
ticket: ticket 티켓 チケット
restaurant: restaurant merchant 식당 음식점 맛집 レストラン
menu: menu dish 메뉴 メニュー
property: listing property estate 매물 物件
job: job 채용공고 구인 求人
ride: ride trip taxi 호출 乗車
loan: loan 대출 ローン 融資
document: document file doc 문서 파일 文書 ファイル
home: home 홈 메인화면 ホーム
api: api webhook sdk
integration: integration 통합 統合
admin: admin administrator 관리자 管理者
automation: automation workflow 자동화 自動化
server: server 서버 サーバー
online: online ccu concurrent 동접 접속자 同時接続
appointment: appointment consultation 진료 상담 診察 相談
setting: setting settings preference preferences config 환경설정
season: season battlepass 시즌 패스 シーズン パス
mail: mail email inbox 메일 우편 이메일 メール
skill: skill talent 스킬 スキル
pet: pet 펫 ペット
weapon: weapon gear equipment 무기 장비 武器
special: special 특수 特殊
install_referral: referral refer 추천인 紹介
code: code otp 코드 コード
first: first 첫 최초 初回 最初
daily: daily 일일 매일 デイリー 毎日
free: free 무료 無料
phone: phone mobile tel 휴대폰 전화 전화번호 電話
bank: bank 은행 銀行
stock: stock fund crypto etf 주식 펀드 코인종목 株
auction: auction market marketplace 경매 거래소 オークション
marketing: marketing 마케팅 マーケティング
support: support helpdesk inquiry 고객센터 고객지원 문의 サポート 問い合わせ
campaign: campaign 캠페인 キャンペーン
media: media 매체 채널
"""

_PHRASES = {
    ("sign", "up"): "register",
    ("account", "create"): "register",
    ("create", "account"): "register",
    ("user", "create"): "register",
    ("join", "user"): "register",
    ("enroll", "user"): "register",
    ("user", "enroll"): "register",
    ("user", "join"): "register",
    ("sign", "in"): "login",
    ("log", "in"): "login",
    ("record", "in"): "login",
    ("log", "on"): "login",
    ("sign", "out"): "logout",
    ("log", "out"): "logout",
    ("record", "out"): "logout",
    ("log", "off"): "logout",
    ("user", "leave"): "withdrawal",
    ("user", "delete"): "withdrawal",
    ("delete", "user"): "withdrawal",
    ("account", "close"): "withdrawal",
    ("close", "account"): "withdrawal",
    ("account", "end"): "withdrawal",
    ("user", "withdraw"): "withdrawal",
    ("no", "show"): "fail",
    ("app", "left"): "app exit",
    ("site", "left"): "site exit",
    ("guild", "left"): "guild leave",
    ("party", "left"): "party leave",
    ("team", "left"): "team leave",
    ("room", "left"): "room leave",
    ("login", "end"): "logout",
    ("login", "exit"): "logout",
    ("account", "delete"): "withdrawal",
    ("delete", "account"): "withdrawal",
    ("account", "withdrawal"): "withdrawal",
    ("check", "out"): "checkout",
    ("check", "in"): "checkin",
    ("level", "up"): "levelup",
    ("rank", "up"): "levelup",
    ("star", "up"): "upgrade",
    ("power", "up"): "upgrade",
    ("sweep", "up"): "sweep",
    ("top", "up"): "recharge",
    ("cash", "out"): "withdraw",
    ("give", "up"): "abandon",
    ("drop", "out"): "abandon",
    ("drop", "off"): "complete",
    ("abandon", "off"): "complete",
    ("pick", "up"): "start",
    ("choose", "up"): "start",
    ("time", "out"): "timeout",
    ("game", "over"): "fail",
    ("set", "up"): "set",
    ("wish", "list"): "bookmark",
    ("bookmark", "list"): "bookmark",
    ("free", "trial"): "trial",
    ("in", "app", "buy"): "buy",
    ("app", "buy"): "buy",
    ("on", "boarding"): "tutorial",
    ("work", "out"): "workout",
    ("follow", "un"): "unfollow",
    ("first", "open"): "install",
    ("first", "launch"): "install",
    ("first", "app", "open"): "install",
    ("app", "first", "open"): "install",
    ("promo", "code"): "coupon",
    ("friend", "request"): "friend request",
    ("leader", "board"): "rank",
    ("world", "boss"): "raid",
    ("guild", "war"): "guild war",
    ("battle", "pass"): "season",
    ("season", "pass"): "season",
    ("pass", "season"): "season",
    ("card", "pay"): "pay",
    ("pay", "method"): "paymethod",
    ("pay", "info"): "paymethod",
    ("card", "add"): "paymethod add",
    ("add", "card"): "add paymethod",
    ("card", "register"): "paymethod add",
    ("register", "card"): "add paymethod",
    ("bank", "account"): "bankaccount",
    ("account", "bank"): "bankaccount",
    ("device", "register"): "device connect",
    ("device", "add"): "device add",
    ("new", "device"): "device add",
    ("page", "view"): "view",
    ("view", "view"): "view",
    ("home", "view"): "home view",
    ("add", "to", "cart"): "add cart",
    ("tear", "down"): "delete",
    ("roll", "back"): "delete",
    ("sign", "document"): "document confirm",
    ("search", "result"): "searchresult",
    ("ship", "info"): "address",
    ("ship", "address"): "address",
    ("deliver", "address"): "address",
    ("place", "order"): "order done",
    ("order", "place"): "order done",
    ("driver", "assign"): "ride match_found",
    ("driver", "match_found"): "ride match_found",
    ("coupon", "request"): "coupon use",
    ("request", "coupon"): "use coupon",
    ("pass", "buy"): "season buy",
    ("buy", "pass"): "buy season",
    ("main", "view"): "home view",
    ("account", "open"): "register",
    ("open", "account"): "register",
    ("card", "reject"): "pay reject",
    ("card", "fail"): "pay fail",
    ("loan", "application"): "loan",
    ("job", "application"): "job",
    ("attend", "check"): "checkin",
    ("like", "rate"): "heartrate",
    ("contact", "support"): "support request",
    ("view", "cart"): "cart view",
}
"""Words side by side, already as concepts where they are any, that mean one thing together."""

_PREFIXES = {"ta", "te", "td", "evt", "ev"}
_SMALL = {"to", "the", "a", "an", "of", "for", "in", "on", "by", "with", "and", "from", "is", "new", "my", "at", "up"}

PHASES = {
    word: place
    for place, words in (
        (0.0, "queue"),
        (0.5, "request"),
        (1.0, "attempt"),
        (1.5, "match_found accept"),
        (1.8, "launch enter open"),
        (2.0, "start"),
        (3.0, "choose answer progress"),
        (4.0, "submit"),
        (5.0, "pause complete success clear win pass achieve confirm done fail reject abandon timeout die skip cancel"),
        (6.0, "end result close exit"),
        (7.0, "resume claim"),
    )
    for word in words.split()
}
"""By concept, how far a process is: below 3 it begins, at 5 it has an outcome, at 6 it ends whatever the outcome."""

SUCCESSES = frozenset({"complete", "success", "clear", "win", "pass", "achieve", "confirm", "done"})
FAILURES = frozenset({"fail", "reject", "abandon", "timeout", "die", "skip", "cancel", "exit"})

ACTIONS = word_set(
    """
    view list visit show read search filter click play create add join leave get receive use spend buy pay order
    book subscribe trial renew enroll donate bid rent install uninstall register login logout withdrawal levelup
    upgrade downgrade equip unequip follow unfollow like unlike bookmark unbookmark share invite send comment post write
    review rate upload download export import connect disconnect enable disable edit delete dissolve archive
    save set verify permission deposit withdraw transfer trade sell invest repay disburse refund return exchange
    ship deliver track arrive pickup board attend assign record sync draw recruit unlock chat report block sweep gift
    issue comparison crash revive retry checkin checkout recharge
    """
)
"""Concepts that tell what is done; some of them (an order, a payment) are things as well."""

LOOKS = word_set("view list show visit read search filter click track")
"""Actions that leave things as they are."""

FILLERS = frozenset(
    {"first", "daily", "free", "info", "page", "event_name", "special", "app", "game", "client", "user", "progress"}
)
_EMPTY = word_set("performed executed made occurred happened triggered")
"""Words that only say that something took place."""


PLAYABLE = word_set(
    "video music content episode article course lesson chapter workout quiz stream live podcast book_content"
)
"""Things that are played, read or learnt."""

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_PARTICLE = re.compile(
    r"(?:에서|으로|에게|까지|부터|하기|하는|할|한|된|을|를|이|가|은|는|의|에|로|시|후|중|별|와|과|도)$"
)
_SAYS_NOTHING = {"전송", "때", "여부", "자동", "수집", "발생", "경우", "마다", "각", "이후", "시점", "이내"}


def pieces(name: str) -> list[str]:
    """The words of a name in lower case, whatever its style.

    >>> pieces("rideId"), pieces("Shipment_Id"), pieces("주문_id")
    (['ride', 'id'], ['shipment', 'id'], ['주문', 'id'])
    """
    return [piece.lower() for piece in _PIECE.findall(name)]


def spelt_out(event: Event) -> str:
    """An event's name in separate words, and its alias."""
    return f"{' '.join(pieces(event.name))} {event.alias}"


def own_name(name: str) -> str:
    """A property's own name in snake_case.

    >>> own_name("bag.maxAge"), own_name("#Zone Offset")
    ('max_age', 'zone_offset')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", name.rpartition(".")[2].lstrip("#")).lower()


class Lexicon:
    """Words of several languages, each with the concept it means.

    Args:
        table: a line for each concept: its name, a colon, its words.
    """

    def __init__(self, table: str) -> None:
        self._latin: dict[str, str] = {}
        self._other: dict[str, str] = {}
        for line in table.strip().splitlines():
            concept, _, words = line.partition(":")
            for word in words.split():
                (self._latin if word.isascii() else self._other).setdefault(word, concept)
        # A single letter of another script means something only by itself: 방 is a room, 방식 is not.
        inner = sorted((word for word in self._other if len(word) > 1), key=len, reverse=True)
        self._inner = re.compile("|".join(map(re.escape, inner)))
        self.concepts = frozenset({*self._latin.values(), *self._other.values()})

    def words(self, text: str) -> list[str]:
        """Concepts of a text in order; words that are none are kept in lower case."""
        return [found for piece in pieces(text) for found in self._word(piece)]

    def _word(self, word: str) -> list[str]:
        if not word.isascii():
            return self._run(word)
        if word in self._latin:
            return [self._latin[word]]
        for stem in _stems(word):
            if len(stem) > 1 and stem in self._latin:
                return [self._latin[stem]]
        if word in _SMALL or len(word) < 6:
            return [word]
        return self._taken_apart(word) or [re.sub(r"(?<=[^sui])s$", "", word)]

    def _taken_apart(self, word: str) -> list[str]:
        for cut in range(len(word) - 3, 2, -1):
            head, rest = word[:cut], word[cut:]
            if head in self._latin:
                tail = rest if rest in self._latin else rest.removeprefix("to")
                found = [self._latin[tail]] if tail in self._latin else self._taken_apart(tail)
                if found:
                    return [self._latin[head], *found]
        return []

    def _run(self, text: str) -> list[str]:
        """Concepts of a run of letters of another script; what stands between known words is kept."""
        if text in self._other:
            return [self._other[text]]
        found: list[str] = []
        position = 0
        for match in self._inner.finditer(text):
            found += self._rest(text[position : match.start()])
            found.append(self._other[match[0]])
            position = match.end()
        return found + self._rest(text[position:])

    def _rest(self, text: str) -> list[str]:
        """What stands between known words: a known one of a single letter, or a noun without its particle."""
        if text in self._other:
            return [self._other[text]]
        word = _PARTICLE.sub("", text.strip("・ー"))
        return [word] if len(word) > 1 and word not in _SAYS_NOTHING else []


def _stems(word: str) -> tuple[str, ...]:
    """What an English word may be without its inflection."""
    return (
        *(word.removesuffix(ending) for ending in ("s", "es", "d", "ed", "ing")),
        word.removesuffix("ing") + "e",
        re.sub(r"(.)\1(?:ed|ing)$", r"\1", word),
        re.sub(r"ie[sd]$", "y", word),
    )


_LEXICON = Lexicon(_CONCEPTS)
_KNOWN = _LEXICON.concepts - FILLERS
THINGS = _KNOWN - ACTIONS - PHASES.keys()
"""Concepts that are things."""


@functools.lru_cache(maxsize=4096)
def concepts(text: str) -> tuple[str, ...]:
    """What a name or a short text says, as concepts in order; words that are none are kept in lower case.

    >>> concepts("ta_StageCleared"), concepts("add_to_cart"), concepts("결제 성공")
    (('stage', 'clear'), ('add', 'cart'), ('pay', 'success'))
    """
    found = _LEXICON.words(text)
    while len(found) > 1 and found[0] in _PREFIXES:
        found = found[1:]
    return tuple(word for word in _phrased(found) if word not in _SMALL)


def _phrased(words: list[str]) -> list[str]:
    found: list[str] = []
    position = 0
    while position < len(words):
        for length in (3, 2):
            phrase = _PHRASES.get(tuple(words[position : position + length]))
            if phrase:
                found += phrase.split()
                position += length
                break
        else:
            found.append(words[position])
            position += 1
    return found


@dataclass(frozen=True)
class Reading:
    """What an event's name and texts say.

    Attributes:
        name: of the event.
        index: its row among the events.
        words: concepts of the name; of the alias or the description where the name says nothing that is known.
        phase: concept of `PHASES` that they tell, or where they tell neither phase nor action, the alias.
        action: concept of `ACTIONS`, likewise; the last one that is no part of the thing.
        topic: what it is about: the other concepts of the name, actions included where there is a phase.
        alias_topic: likewise of the alias.
        step: number at the end of the name, or before the last word.
        text: concepts of name, alias and tag.
        description: concepts of the description.
        tag: of the event.
        properties: names of its properties.
    """

    name: str
    index: int
    words: tuple[str, ...]
    phase: str | None
    action: str | None
    topic: frozenset[str]
    alias_topic: frozenset[str]
    step: int | None
    text: frozenset[str]
    description: frozenset[str]
    tag: str
    properties: frozenset[str]

    @property
    def things(self) -> frozenset[str]:
        """The topic without actions."""
        return self.topic - ACTIONS

    @property
    def place(self) -> float | None:
        """How far a process is, see `PHASES`; between 3 and 4 for a numbered step."""
        if self.step is not None and self.phase in (None, "progress", "complete", "choose", "view"):
            return 3 + min(self.step, 999) / 1000
        return None if self.phase is None else PHASES[self.phase]

    @property
    def succeeds(self) -> bool:
        """Whether it tells that something went well."""
        return self.phase in SUCCESSES

    @property
    def fails(self) -> bool:
        """Whether it tells that something did not go well."""
        return self.phase in FAILURES

    def says(self, *words: str) -> bool:
        """Whether the name has one of some concepts."""
        return any(word in self.words for word in words)

    def tells(self, *words: str) -> bool:
        """Whether the name, the alias or the tag has one of some concepts."""
        return any(word in self.text for word in words)


def read_event(event: Event, index: int) -> Reading:
    """What an event's name says, and where it says nothing that is known, its alias or description.

    What is added to a cart, or removed from one, is known by the description as well.
    """
    alias = concepts(event.alias)
    said = next(
        (words for words in (concepts(event.name), alias, _foreground(event)) if _KNOWN.intersection(words)),
        concepts(event.name),
    )
    numbers = [int(word) for word in concepts(event.name) if word.isdigit()]
    plain = _meaningful(tuple(word for word in said if not word.isdigit()), event.name)
    if "withdrawal" in plain and _moves_money(event):
        plain = tuple("withdraw" if word == "withdrawal" else word for word in plain)
    if "withdraw" in plain and len(plain) > 1 and event.properties and not _moves_money(event):
        plain = tuple("cancel" if word == "withdraw" else word for word in plain)  # an application
    if {"add", "delete"} & set(plain) and "cart" in {*alias, *_foreground(event)} - set(plain):
        plain = (*plain, "cart")
    phase, action, topic = _parts(plain)
    if phase is None and plain[:1] in (("no",), ("not",)) and len(plain) > 1:
        phase, topic = "fail", frozenset(plain) - {"no", "not", "found"} or topic  # `no_driver_found`
    alias_phase, alias_action, alias_topic = _parts(tuple(word for word in alias if not word.isdigit()))
    if phase is None and (action is None or action in _NAMES_OF_DEALS):
        phase = alias_phase
    if action is None and phase is None:
        action = alias_action
    return Reading(
        name=event.name,
        index=index,
        words=plain,
        phase=phase,
        action=action,
        topic=topic,
        alias_topic=alias_topic,
        step=numbers[-1] if numbers else None,
        text=frozenset((*plain, *alias, *concepts(event.tag))),
        description=frozenset(concepts(event.description)),
        tag=event.tag.strip().lower(),
        properties=frozenset(prop.name for prop in event.properties),
    )


def _moves_money(event: Event) -> bool:
    """Whether a withdrawal is one of money, and not from a product."""
    names = [prop.name.lower() for prop in event.properties]
    return any(word in name for name in names for word in ("amount", "withdraw", "fee", "balance", "currency"))


_BACKGROUND = re.compile(
    r"\([^()]*\)|\b(?:after|before|during|once|that|which|who|while)\b[^.;]*|[^.;]*?\s(?:후|뒤|이후)\s(?!전송|기록|발생|수집)",
    re.IGNORECASE,
)


_ATTRIBUTES = re.compile(r"\b(an?|the|this|that)\s+\w{3,}ed\s+(?=[a-z])", re.IGNORECASE)
"""`switches a paired light on` is no pairing."""


def _foreground(event: Event) -> tuple[str, ...]:
    """What a description says of the event itself, without what has happened before."""
    return concepts(_ATTRIBUTES.sub(r"\1 ", _BACKGROUND.sub(" ", event.description)))


def _meaningful(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Without what only says that something took place; who enters details does not look at them."""
    kept = tuple(word for word in words if word not in _EMPTY) or words
    if "details" in name.lower() and {"enter", "submit", "add", "edit", "save"} & set(kept):
        kept = tuple("info" if word == "view" else word for word in kept)
    if _VISITS & set(pieces(name)) and _ARRANGING & set(kept):
        kept = tuple("appointment" if word in ("view", "show") else word for word in kept)
    return kept


_VISITS = frozenset({"viewing", "viewings", "showing", "showings"})
_ARRANGING = frozenset({"book", "cancel", "edit", "confirm", "request", "attend", "complete", "done", "schedule"})
"""What is done with a viewing that is a visit, and no look."""


_OF_STEPS = frozenset({"complete", "done", "success", "start", "pass"})
_NAMES_OF_DEALS = frozenset({"pay", "buy", "order", "book", "subscribe", "register", "share"})
_WEAK = frozenset(
    {"refund", "return", "exchange", "review", "ship", "deliver", "comment", "bookmark", "verify", "invite"}
)
_NOUNS = word_set(
    """
    board attend pickup order pay book subscribe post trial share gift report chat list set rate install permission
    register login record trade transfer draw play deposit enroll issue search filter rent level
    """
)


def _strength(action: str) -> int:
    """Of several actions in a name the strongest is what is done, the others what it is done to."""
    return 0 if action in _NOUNS else 1 if action in _WEAK else 2


def _parts(words: tuple[str, ...]) -> tuple[str | None, str | None, frozenset[str]]:
    """Phase, action and topic; `start_battle` and `battle_start` are the same."""
    phases = [word for word in words if word in PHASES]
    if {"view", "click", "share", "show"}.intersection(words):
        phases = [word for word in phases if word != "result"]
    if words[:1] == ("claim",) and len(words) > 1 and "reward" not in words:
        phases = phases[1:]  # a claim on an insurance, not the claim of a reward
    later = [word for word in phases if word != "progress"]
    phase = "progress" if "progress" in phases and set(later) <= _OF_STEPS else later[-1] if later else None
    rest = [word for word in words if word != phase]
    actions = [word for word in rest if word in ACTIONS]
    action = max(reversed(actions), key=_strength) if actions else None
    if action and rest[0] in ACTIONS and rest[-1] not in ACTIONS and _strength(rest[0]) == _strength(action):
        action = rest[0]  # `remove_saved_item`
    if rest[:1] == ["rate"] and rest[-1] in _NAMES_OF_DEALS:
        action = "rate"  # `rate_order`
    if phase is None and action is not None and len(rest) > 1:
        rest = [word for word in rest if word != action] or rest
    topic = frozenset(word for word in rest if word not in FILLERS) or frozenset(rest)
    return phase, action, topic


def read_events(events: Iterable[Event]) -> list[Reading]:
    """What every event says, in the order of the sheet; who leaves what one enters and cannot win has not failed."""
    found = [read_event(event, index) for index, event in enumerate(events)]
    entered = {r.topic for r in found if r.phase == "enter"} - {r.topic for r in found if r.succeeds}
    return [replace(r, phase="end") if r.phase == "exit" and r.topic in entered else r for r in found]
