"""Ways out other than Kafka; the only part of alerts/ that may touch the world.

port            what a channel must be able to do
alertmanager    Prometheus Alertmanager, API v2; alertmanager_alerts says what an alert looks like there
apprise         any address that the library Apprise knows: mail, chat, paging
chat_robots     DingTalk, WeCom, Feishu and Lark, which report errors inside a success
posting         JSON over HTTP, bounded in time, for those that speak it
"""
